"""What a schedule of the learning rate is."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Part, Range, setting
from nnexp.optim.at import At

Array = np.ndarray[Any, Any]

AHEAD = 256
"""Updates whose factors are computed at once."""


@dataclass(frozen=True)
class Schedule(Part):
    """The learning rate over updates: ``rate(t) = learning_rate * factor(t)``, ``t`` the updates done before.

    During the first ``warmup`` updates the factor is multiplied by ``(t + 1) / (warmup + 1)``.

    Attributes:
        needs_total: whether the factor depends on how many updates the budget has room for.
    """

    group: ClassVar[str] = "optimizer/schedule"
    in_defaults: ClassVar[bool] = True
    needs_total: ClassVar[bool] = False

    _: KW_ONLY
    warmup: int = setting(0, "updates over which the rate grows linearly at first", Range(0))

    def factor(self, t: Array, total: Array) -> Array:
        """The factors ``(T, R)`` at updates ``t (T, 1)`` of runs with ``total (R,)`` updates, in float64."""
        raise TypeError(f"{type(self).__name__} has no factor")

    def bind(self, at: At, learning_rate: Any) -> tuple[Array, list[Call]]:
        """The rate of R runs, as an array that fits theta ``(R, P)``, and calls that keep it up to date."""
        rates = _Rates(self, at, learning_rate)
        return rates.column, [rates]


class _Rates:
    """Writes the rates of the next update into ``column (R, 1)``."""

    def __init__(self, schedule: Schedule, at: At, learning_rate: Any) -> None:
        self._schedule, self._at = schedule, at
        self._rate = np.broadcast_to(np.asarray(learning_rate, np.float64), (len(at.theta),))
        self._first, self._table = 0, np.empty((0, len(at.theta)))
        self.column = np.empty((len(at.theta), 1), at.theta.dtype)

    def __call__(self) -> None:
        row = int(self._at.count) - self._first
        if not 0 <= row < len(self._table):
            self._first, row = int(self._at.count), 0
            t = np.arange(self._first, self._first + AHEAD, dtype=np.float64)[:, None]
            factor = self._schedule.factor(t, np.asarray(self._at.limits, np.float64))
            warmup = self._schedule.warmup
            grown = np.minimum((t + 1) / (warmup + 1), 1)
            self._table = np.broadcast_to(factor * grown * self._rate, (AHEAD, len(self._rate)))
        self.column[:, 0] = self._table[row]
