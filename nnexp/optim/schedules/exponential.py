"""A learning rate that falls by the same factor at each update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Exponential(Schedule):
    """``factor(t) = decay^t``."""

    decay: float = setting(0.9995, "factor of the rate at each update", Range(0, 1, above=True), per_run=True)

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(self.decay**t)
