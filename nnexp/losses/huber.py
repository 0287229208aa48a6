"""Huber's loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.losses.loss import Loss, mean
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Huber(Loss):
    """``L = mean_n sum_c h(a_cn - t_cn)``: ``h(d) = d**2 / 2`` up to ``delta``, ``delta (|d| - delta / 2)`` beyond.

    ``dL/da = min(max(a - t, -delta), delta) / N`` (Huber, 1964).
    """

    delta: float = setting(
        1.0, "difference beyond which the loss grows linearly", Range(0, above=True, log=True)
    )

    def value(self, a: Array, to: Target) -> Array:
        size = np.abs(a - to.values)
        # The square of a clipped number cannot overflow.
        inner = np.minimum(size, self.delta)
        return mean(np.add.reduce(inner * (size - inner / 2), axis=-2))

    def gradient(self, a: Array, to: Target) -> Array:
        return np.clip(a - to.values, -self.delta, self.delta) * a.dtype.type(1 / a.shape[-1])
