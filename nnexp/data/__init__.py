"""Datasets, one a file, mini-batches, and the streams of chance that they are drawn from."""

from nnexp.data.dataset import Data, Dataset, Sizes, Split, frozen
from nnexp.data.generated import Generated, Spiral, Vertical
from nnexp.data.points import Points
from nnexp.data.table import Table, arrays

__all__ = [
    "Data",
    "Dataset",
    "Generated",
    "Points",
    "Sizes",
    "Spiral",
    "Split",
    "Table",
    "Vertical",
    "arrays",
    "frozen",
]
