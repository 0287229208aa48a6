"""A learning rate that falls as 1 / t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class InverseTime(Schedule):
    """``factor(t) = 1 / (1 + decay * t)`` (Robbins and Monro, 1951)."""

    decay: float = setting(
        0.001, "speed of the decay: the rate is halved after 1 / decay updates", Range(0), per_run=True
    )

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(1 / (1 + self.decay * t))
