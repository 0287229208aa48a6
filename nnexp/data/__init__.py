"""Datasets, one a file, mini-batches, and the random streams that they are drawn from."""

from nnexp.data.bundled import BreastCancer, Bundled, Diabetes, Digits, Iris, Wine
from nnexp.data.dataset import Data, Dataset, Sizes, Split, frozen
from nnexp.data.drawn import Blobs, Circles, Drawn, Moons, Sine
from nnexp.data.generated import Generated, Spiral, Vertical
from nnexp.data.idx import MNIST, FashionMNIST
from nnexp.data.points import Points
from nnexp.data.table import Table, arrays

__all__ = [
    "MNIST",
    "Blobs",
    "BreastCancer",
    "Bundled",
    "Circles",
    "Data",
    "Dataset",
    "Diabetes",
    "Digits",
    "Drawn",
    "FashionMNIST",
    "Generated",
    "Iris",
    "Moons",
    "Points",
    "Sine",
    "Sizes",
    "Spiral",
    "Split",
    "Table",
    "Vertical",
    "Wine",
    "arrays",
    "frozen",
]
