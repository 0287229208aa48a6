"""A learning rate that falls in steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Step(Schedule):
    """``factor(t) = decay^floor(t / every)``."""

    every: int = setting(1000, "updates between two steps", Range(1), per_run=True)
    decay: float = setting(0.5, "factor of the rate at each step", Range(0, 1), per_run=True)

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(self.decay ** np.floor(t / self.every))
