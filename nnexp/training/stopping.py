"""Early stopping: a run ends when its target is reached, or when it has not improved for some time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnexp.losses.measures import Measure
from nnexp.training.budget import Budget

if TYPE_CHECKING:
    from nnexp.training.record import History

Array = np.ndarray[Any, Any]


class Stopping:
    """Finds the row at which a run ends.

    It depends on the run's rows only, so that a run ends at the same row alone and in a group.

    Args:
        held_out: whether there are validation or test data.
        measures: the run's measures by column.

    Attributes:
        reason: ``target`` or ``patience`` after the row was found, else empty.
    """

    def __init__(self, budget: Budget, held_out: bool, measures: Mapping[str, Measure]) -> None:
        self._budget = budget
        self.measure = budget.measure
        if self.measure == "auto":
            self.measure = "val_loss" if held_out else "loss"
        self._sign = -1.0 if measures[self.measure].higher else 1.0
        self._best, self._best_iteration = np.inf, 0
        self.reason = ""

    @property
    def wanted(self) -> bool:
        """Whether the budget asks for it."""
        return self._budget.target is not None or self._budget.patience is not None

    def state(self) -> list[Any]:
        """The present state, for :meth:`restore`."""
        return [float(self._best), self._best_iteration, self.reason]

    def restore(self, state: list[Any]) -> None:
        """Return to a state that :meth:`state` gave."""
        self._best, self._best_iteration, self.reason = state

    def first(self, rows: History) -> int | None:
        """The position of the row at which the run ends; None where it continues after all of them."""
        values = self._sign * rows[self.measure]
        target = None if self._budget.target is None else self._sign * self._budget.target
        for at, (iteration, value) in enumerate(zip(rows.iteration.tolist(), values.tolist(), strict=True)):
            if value < self._best:
                self._best, self._best_iteration = value, iteration
            if target is not None and value <= target:
                self.reason = "target"
                return at
            patience = self._budget.patience
            if patience is not None and iteration - self._best_iteration >= patience:
                self.reason = "patience"
                return at
        return None
