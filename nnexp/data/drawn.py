"""Points that scikit-learn draws, and nnfs' sine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.data.bundled import scikit_learn
from nnexp.data.dataset import Data, Dataset, Generators, Sizes, Split, frozen

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Drawn(Dataset):
    """Points in a plane, of two classes or more."""

    samples: int = setting(100, "training points a class", Range(1))
    validation_samples: int = setting(100, "validation points a class, 0 for none", Range(0))
    test_samples: int = setting(100, "test points a class, 0 for none", Range(0))

    @property
    def kinds(self) -> int:
        """How many classes there are."""
        return 2

    def sizes(self) -> Sizes:
        each = (self.samples, self.validation_samples, self.test_samples)
        train, validation, test = (self.kinds * samples for samples in each)
        return Sizes(2, self.kinds, train, validation, test)

    def load(self, draws: Generators, dtype: Any) -> Split:
        centers = self.centers(draws["dataset"])

        def points(samples: int, stream: str) -> Data | None:
            seed = int(draws[stream].integers(2**32))
            if not samples:
                return None
            x, y = self.draw([samples] * self.kinds, centers, np.random.RandomState(seed))
            return frozen(x.T, y, dtype)

        train = points(self.samples, "dataset")
        assert train is not None
        return Split(train, points(self.validation_samples, "split"), points(self.test_samples, "split"))

    def centers(self, rng: np.random.Generator) -> Array | None:
        """Where classes are, for all samples alike; None where that is not drawn."""
        return None

    def draw(self, samples: list[int], centers: Array | None, state: Any) -> tuple[Array, Array]:
        """Points ``x (N, 2)`` and their classes ``(N,)``, so many ``samples`` of each class."""
        raise TypeError(f"{type(self).__name__} draws no points")


@dataclass(frozen=True)
class Moons(Drawn):
    """Two half circles, one into the other."""

    noise: float = setting(0.1, "standard deviation of a point's two coordinates", Range(0))

    def draw(self, samples: list[int], centers: Array | None, state: Any) -> tuple[Array, Array]:
        x, y = scikit_learn("make_moons")(tuple(samples), noise=self.noise, random_state=state)
        return x, y


@dataclass(frozen=True)
class Circles(Drawn):
    """A circle (1) within another (0)."""

    noise: float = setting(0.05, "standard deviation of a point's two coordinates", Range(0))
    factor: float = setting(0.5, "radius of the inner circle; the outer one's is 1", Range(0, 1, below=True))

    def draw(self, samples: list[int], centers: Array | None, state: Any) -> tuple[Array, Array]:
        make = scikit_learn("make_circles")
        x, y = make(tuple(samples), noise=self.noise, factor=self.factor, random_state=state)
        return x, y


@dataclass(frozen=True)
class Blobs(Drawn):
    """Normally distributed points around centers, one a class, drawn uniformly from a square by the data's seed."""

    classes: int = setting(3, "classes", Range(2))
    deviation: float = setting(1.0, "standard deviation of points around their center", Range(0))
    width: float = setting(10.0, "of the square that centers are drawn from", Range(0, above=True))

    @property
    def kinds(self) -> int:
        return self.classes

    def centers(self, rng: np.random.Generator) -> Array:
        return rng.uniform(-self.width / 2, self.width / 2, (self.classes, 2))

    def draw(self, samples: list[int], centers: Array | None, state: Any) -> tuple[Array, Array]:
        make = scikit_learn("make_blobs")
        x, y = make(samples, centers=centers, cluster_std=self.deviation, random_state=state)
        return x, y


@dataclass(frozen=True)
class Sine(Dataset):
    """One period of a sine, ``y = sin(2 pi x)``: training points evenly from 0 to 1 (nnfs), the others drawn there."""

    samples: int = setting(1000, "training points", Range(1))
    validation_samples: int = setting(200, "validation points, 0 for none", Range(0))
    test_samples: int = setting(200, "test points, 0 for none", Range(0))

    def sizes(self) -> Sizes:
        return Sizes(1, 1, self.samples, self.validation_samples, self.test_samples, classes=False)

    def load(self, draws: Generators, dtype: Any) -> Split:
        from nnfs.datasets import sine_data

        def points(samples: int) -> Data | None:
            x = draws["split"].random((1, samples))
            return frozen(x, np.sin(2 * np.pi * x), dtype) if samples else None

        x, y = sine_data(self.samples)
        train = frozen(x.T, y.T, dtype)
        return Split(train, points(self.validation_samples), points(self.test_samples))
