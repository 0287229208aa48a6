"""Weights scaled by a layer's size, so that activations keep their scale from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, Literal

import numpy as np

from nnexp.config.settings import setting
from nnexp.network.initializers.initializer import Initializer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Scaled(Initializer):
    """Weights of a variance that follows from fan in and fan out."""

    distribution: Literal["normal", "uniform"] = setting("normal", "distribution of the weights")

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        raise TypeError("an initializer of this kind must define variance()")

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        variance = self.variance(fan_in, fan_out)
        if self.distribution == "normal":
            return sqrt(variance) * rng.standard_normal(shape)
        # U(-a, a) has the variance a^2 / 3.
        return rng.uniform(-sqrt(3 * variance), sqrt(3 * variance), shape)


@dataclass(frozen=True)
class He(_Scaled):
    """Variance ``2 / fan_in``, for rectifiers (He et al., 2015)."""

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 2 / fan_in


@dataclass(frozen=True)
class Glorot(_Scaled):
    """Variance ``2 / (fan_in + fan_out)``, for tanh and sigmoid (Glorot and Bengio, 2010)."""

    distribution: Literal["normal", "uniform"] = setting("uniform", "distribution of the weights")

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 2 / (fan_in + fan_out)


@dataclass(frozen=True)
class LeCun(_Scaled):
    """Variance ``1 / fan_in`` (LeCun et al., 1998)."""

    option: ClassVar[str] = "lecun"

    @staticmethod
    def variance(fan_in: int, fan_out: int) -> float:
        return 1 / fan_in
