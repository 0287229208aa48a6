"""What a dataset is: samples for training, validation and test, as frozen feature-major arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Part

Array = np.ndarray[Any, Any]
Generators = Mapping[str, np.random.Generator]

LARGEST = 1e38
"""The largest absolute value that is accepted; float32 ends at about three times this."""


class Data(NamedTuple):
    """Inputs ``x (..., F, N)`` and targets ``y``: classes ``(..., N)`` int64, or numbers ``(..., C, N)``.

    F are flat features, of images ``(channels, height, width)`` in this order; :class:`Sizes` has their shape.
    """

    x: Array
    y: Array


class Split(NamedTuple):
    """A dataset's samples: for training, and where there are any for validation and test."""

    train: Data
    validation: Data | None = None
    test: Data | None = None


class Sizes(NamedTuple):
    """How large a dataset is, known without loading it: for grouping runs and planning sweeps.

    ``features`` F of a sample, or their shape, as ``(channels, height, width)``; ``outputs`` C of the network; numbers
    of samples; whether targets are ``classes``.
    """

    features: int | tuple[int, ...]
    outputs: int
    samples: int
    validation: int = 0
    test: int = 0
    classes: bool = True


@dataclass(frozen=True)
class Dataset(Part):
    """Samples that a run is trained and measured on."""

    group: ClassVar[str] = "dataset"

    def sizes(self) -> Sizes:
        """Numbers of features, outputs and samples. Must be cheap: planning calls it for every run.

        Raises:
            ConfigError: settings that do not go together.
        """
        raise TypeError(f"{type(self).__name__} must define sizes()")

    def load(self, draws: Generators, dtype: Any) -> Split:
        """The samples, with inputs of ``dtype``.

        Args:
            draws: random generators by use: ``dataset`` for training samples, ``split`` for the others.

        Raises:
            ConfigError: settings that do not go together.
        """
        raise TypeError(f"{type(self).__name__} must define load()")

    def best_accuracy(self) -> float | None:
        """The expected accuracy of the Bayes classifier, which none exceeds; None where unknown."""
        return None

    def digest(self) -> str:
        """A hash of the content of data that is given or read, sixteen hexadecimal digits; empty for drawn data."""
        return ""


def frozen(x: Array, y: Array, dtype: Any, divisor: float = 1) -> Data:
    """Read-only contiguous copies of ``x`` and ``y`` as :class:`Data`, integer targets as int64.

    The copy of ``x (F, N)`` has a row of ones below it in memory, which networks need: see :func:`whole_of`.

    Args:
        divisor: of ``x``.
    """
    x, y = np.asarray(x), np.asarray(y)
    integer = np.issubdtype(y.dtype, np.integer)
    if x.ndim == 2:
        whole = np.ones((x.shape[0] + 1, x.shape[1]), dtype)
        whole[:-1] = x
    else:
        whole = np.array(x, dtype, order="C")
    if divisor != 1:
        whole[: len(x)] /= whole.dtype.type(divisor)
    y = np.array(y, np.int64 if integer else dtype, order="C")
    whole.setflags(write=False)
    y.setflags(write=False)
    return Data(whole[:-1] if x.ndim == 2 else whole, y)


def whole_of(x: Array) -> Array | None:
    """The array ``(F + 1, N)`` of ``x (F, N)`` and the row of ones below it in memory; None where there is none."""
    whole = x.base
    shape = (x.shape[0] + 1, *x.shape[1:])
    if not isinstance(whole, np.ndarray) or x.ndim != 2 or (whole.shape, whole.dtype) != (shape, x.dtype):
        return None
    same = whole.flags.c_contiguous and whole.ctypes.data == x.ctypes.data
    return whole if same and (whole[-1] == 1).all() else None
