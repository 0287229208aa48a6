"""Datasets whose points are drawn by nnfs' own functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.data.dataset import Data, Dataset, Generators, Sizes, Split, frozen

Array = np.ndarray[Any, Any]
Normal = Callable[..., Array]


@dataclass(frozen=True)
class Generated(Dataset):
    """Points in two dimensions, ``samples`` a class, by nnfs' function of the class's name."""

    samples: int = setting(100, "training points a class", Range(1))
    # nnfs keeps labels in a byte.
    classes: int = setting(3, "classes", Range(2, 256))
    test_samples: int = setting(100, "test points a class, 0 for none", Range(0))

    @classmethod
    def function(cls) -> Callable[[int, int], Any]:
        """The function of nnfs that draws the points."""
        raise TypeError(f"{cls.__name__} must define function()")

    def sizes(self) -> Sizes:
        return Sizes(
            2, self.classes, self.samples * self.classes, test=self.test_samples * self.classes, classes=True
        )

    def load(self, draws: Generators, dtype: Any) -> Split:
        train = self.points(self.samples, draws["dataset"], dtype)
        test = self.points(self.test_samples, draws["split"], dtype) if self.test_samples else None
        return Split(train, test=test)

    def points(self, samples: int, rng: np.random.Generator, dtype: Any = np.float32) -> Data:
        """``samples`` points a class drawn from ``rng``: ``x (2, samples * classes)``, ``y`` their classes."""
        x, y = self.draw(samples, lambda *n: rng.standard_normal(n), np.float64)
        return frozen(x.T, y.astype(np.int64), dtype)

    def draw(self, samples: int, normal: Normal, dtype: Any) -> tuple[Array, Array]:
        """What nnfs' function gives when its normal numbers come from ``normal``: ``x (N, 2)`` and ``y (N,)``."""
        namespace = {"np": _Numpy(normal, dtype), "__builtins__": __builtins__}
        return FunctionType(self.function().__code__, namespace)(samples, self.classes)


@dataclass(frozen=True)
class Spiral(Generated):
    """Arms of a spiral, one a class (nnfs' ``spiral_data``); noise in a point's angle makes the arms overlap."""

    def best_accuracy(self) -> float | None:
        # Of the Bayes rule, simulated with 300,000 points.
        return 0.910 if self.classes == 3 else None

    @classmethod
    def function(cls) -> Callable[[int, int], Any]:
        from nnfs.datasets import spiral_data

        return spiral_data


@dataclass(frozen=True)
class Vertical(Generated):
    """Vertical stripes, one a class (nnfs' ``vertical_data``)."""

    @classmethod
    def function(cls) -> Callable[[int, int], Any]:
        from nnfs.datasets import vertical_data

        return vertical_data


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
