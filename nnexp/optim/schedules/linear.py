"""A learning rate that changes linearly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Linear(Schedule):
    """``factor(t) = 1 + (end - 1) * t / total``, ``total`` the updates that the budget allows."""

    needs_total: ClassVar[bool] = True

    end: float = setting(0.0, "factor at the budget's end", Range(0), per_run=True)

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(1 + (self.end - 1) * np.minimum(t / total, 1))
