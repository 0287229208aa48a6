"""Datasets as frozen feature-major arrays, their points drawn by nnfs' own functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Normal = Callable[..., Array]


class Data(NamedTuple):
    """Inputs ``x (..., F, N)`` and targets ``y``: classes ``(..., N)`` int64, or numbers ``(..., C, N)``."""

    x: Array
    y: Array


class _Numpy:
    """NumPy as nnfs' functions see it, with ``random.randn`` drawing from a stream of ours.

    nnfs draws from NumPy's global generator; running its code on this namespace neither reads nor moves
    that generator, so datasets are the same in any thread and whatever else has drawn before.
    """

    def __init__(self, normal: Normal, dtype: Any) -> None:
        self.random = SimpleNamespace(randn=normal)
        self._dtype = dtype

    def zeros(self, shape: Any, dtype: Any = None) -> Array:
        return np.zeros(shape, dtype or self._dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _draw(name: str, samples: int, classes: int, normal: Normal, dtype: Any) -> tuple[Array, Array]:
    import nnfs.datasets

    function = {"spiral": nnfs.datasets.spiral_data, "vertical": nnfs.datasets.vertical_data}[name]
    namespace = {"np": _Numpy(normal, dtype), "__builtins__": __builtins__}
    return FunctionType(function.__code__, namespace)(samples, classes)


def frozen(x: Array, y: Array, dtype: Any) -> Data:
    """Read-only contiguous copies of ``x`` and ``y`` as :class:`Data`, integer targets as int64."""
    x = np.array(x, dtype, order="C")
    integer = np.issubdtype(np.asarray(y).dtype, np.integer)
    y = np.array(y, np.int64 if integer else dtype, order="C")
    x.setflags(write=False)
    y.setflags(write=False)
    return Data(x, y)


def generated(
    name: str, samples: int, classes: int, rng: np.random.Generator, dtype: Any = np.float32
) -> Data:
    """``samples`` points a class of nnfs' ``spiral`` or ``vertical`` data, drawn from ``rng``.

    Returns:
        ``x (2, samples * classes)`` and ``y`` with classes ``0 .. classes - 1``.
    """
    x, y = _draw(name, samples, classes, lambda *n: rng.standard_normal(n), np.float64)
    return frozen(x.T, y.astype(np.int64), dtype)


def notebook_data(name: str, samples: int, classes: int, seed: int = 0, dtype: Any = np.float32) -> Data:
    """The points that ``nnfs.init()`` with ``seed`` and then ``name``_data(samples, classes) give.

    ``nnfs.init()`` rounds normal draws to float32 before they are used; it is imitated, not called,
    because it replaces NumPy's own functions for the whole process.
    """
    state = np.random.RandomState(seed)
    x, y = _draw(
        name, samples, classes, lambda *n: np.asarray(state.randn(*n)).astype(np.float32), np.float32
    )
    return frozen(x.T, y.astype(np.int64), dtype)


def digest(inputs: Any, targets: Any) -> str:
    """Sixteen hexadecimal digits that given data share if their numbers are the same."""
    return hashlib.sha256(json.dumps([inputs, targets]).encode()).hexdigest()[:16]


def points(
    inputs: Sequence[Sequence[float]], targets: Sequence[Sequence[float]], dtype: Any = np.float32
) -> Data:
    """Given ``inputs`` (N rows of F numbers) with numeric ``targets`` (N rows of C numbers).

    Raises:
        ValueError: rows of unequal length, or unlike numbers of inputs and targets.
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"inputs {x.shape} and targets {y.shape}: expected two tables of equally many rows")
    return frozen(x.T, y.T, dtype)
