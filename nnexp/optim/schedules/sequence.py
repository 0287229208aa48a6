"""Schedules one after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError, Each, Range, setting
from nnexp.optim.schedules.constant import Constant
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sequence(Schedule):
    """The ``schedules`` in order, each with updates counted from its own first: ``factor(t) = f_k(t - begin_k)``.

    The ``total`` of each but the last is its length, that of the last the rest of the budget.
    """

    schedules: list[Schedule] = setting([Constant()], "options or settings of the schedules")
    lengths: list[int] = setting([], "updates of each schedule but the last", Each(Range(1)))

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.lengths) != len(self.schedules) - 1:
            raise ConfigError(
                f"{self.name}.lengths={self.lengths}: expected one fewer than the {len(self.schedules)} schedules"
            )

    def factor(self, t: Array, total: Array) -> Array:
        begins = np.cumsum([0, *self.lengths]).tolist()
        turn = np.searchsorted(begins, t, side="right") - 1
        factors = np.zeros(np.broadcast_shapes(t.shape, total.shape))
        for k, (schedule, begin) in enumerate(zip(self.schedules, begins, strict=True)):
            own = total * 0 + self.lengths[k] if k < len(self.lengths) else np.maximum(total - begin, 1)
            # Clipped, because a schedule is defined from its own first update on.
            factors = np.where(turn == k, schedule.warmed(np.maximum(t - begin, 0), own), factors)
        return factors
