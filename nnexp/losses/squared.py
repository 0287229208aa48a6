"""Squared losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.loss import Loss, mean
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SquaredError(Loss):
    """``L = mean_n sum_c (a_cn - t_cn)**2`` and ``dL/da = 2 (a - t) / N``."""

    def value(self, a: Array, to: Target) -> Array:
        return mean(np.add.reduce(np.square(a - to.values), axis=-2))

    def gradient(self, a: Array, to: Target) -> Array:
        return (a - to.values) * a.dtype.type(2 / a.shape[-1])


@dataclass(frozen=True)
class SquaredSum(Loss):
    """``L = mean_n (sum_c a_cn)**2``: drives the sum of the activations to zero and ignores the targets."""

    def value(self, a: Array, to: Target) -> Array:
        return mean(np.square(np.add.reduce(a, axis=-2)))

    def gradient(self, a: Array, to: Target) -> Array:
        total = np.add.reduce(a, axis=-2, keepdims=True)
        return np.broadcast_to(total * a.dtype.type(2 / a.shape[-1]), a.shape).copy()
