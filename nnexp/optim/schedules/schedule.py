"""The base class of schedules of the learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Part, Range, kinds_of, setting, snake_case, take
from nnexp.optim.at import At
from nnexp.optim.table import Formula, Table

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Schedule(Part):
    """The learning rate over updates: ``rate(t) = learning_rate * factor(t)``, ``t`` the updates done before.

    During the first ``warmup`` updates the factor is multiplied by ``(t + 1) / (warmup + 1)``.

    Attributes:
        needs_total: whether the factor depends on how many updates the budget allows.
    """

    group: ClassVar[str] = "optimizer/schedule"
    in_defaults: ClassVar[bool] = True
    needs_total: ClassVar[bool] = False

    _: KW_ONLY
    warmup: int = setting(
        0, "updates at the beginning during which the rate grows linearly", Range(0), per_run=True
    )

    def factor(self, t: Array, total: Array) -> Array:
        """The factors ``(T, R)`` at updates ``t (T, 1)`` of runs with ``total (R,)`` updates, in float64."""
        raise TypeError(f"{type(self).__name__} must define factor()")

    def warmed(self, t: Array, total: Array) -> Array:
        """The factors ``(T, R)`` with the warm-up."""
        return self.factor(t, total) * np.minimum((t + 1) / (self.warmup + 1), 1)

    def bind(self, at: At, learning_rate: Any) -> tuple[Array, list[Call]]:
        """The rate of R runs, as an array that broadcasts with theta ``(R, P)``, and calls that update it."""
        rates, totals = at.each(learning_rate), np.asarray(at.limits, np.float64)
        table = Table(at, [self._of(run, rate, totals[run : run + 1]) for run, rate in enumerate(rates)])
        return table.columns[0], [table]

    def _of(self, run: int, rate: float, total: Array) -> Formula:
        own = take(self, run)

        def rates(t: Array) -> Sequence[Any]:
            factors = np.broadcast_to(own.warmed(t[:, None], total), (len(t), 1))
            return [rate * factors[:, 0]]

        return rates


def needing_total(part: Part) -> list[str]:
    """The names of the schedules in a part that need the number of updates.

    >>> from nnexp.optim.schedules import Chain, Cosine, Step
    >>> needing_total(Chain(schedules=[Step(), Cosine()]))
    ['cosine']
    """
    kinds = (kind for kind in kinds_of(part) if issubclass(kind, Schedule) and kind.needs_total)
    return sorted(kind.option or snake_case(kind.__name__) for kind in kinds)
