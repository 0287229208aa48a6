"""Losses, one a file, and the targets that they compare outputs with."""

from nnexp.losses.absolute import AbsoluteError
from nnexp.losses.binary_cross_entropy import BinaryCrossEntropy
from nnexp.losses.cross_entropy import CrossEntropy
from nnexp.losses.huber import Huber
from nnexp.losses.loss import Loss, Measure, Measured, measure
from nnexp.losses.squared import SquaredError, SquaredSum
from nnexp.losses.targets import Target, target

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Huber",
    "Loss",
    "Measure",
    "Measured",
    "SquaredError",
    "SquaredSum",
    "Target",
    "measure",
    "target",
]
