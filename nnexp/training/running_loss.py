"""The running loss: the mean loss of mini-batches, without an evaluation on all data."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EVERY = 8
"""The loss of one in this many mini-batches is computed: all would take a fifth of a small network's step."""


class RunningLoss:
    """The losses of R runs' mini-batches since the last mark, every eighth.

    Attributes:
        total: their sum ``(R,)``, to which the caller adds each computed loss.
    """

    def __init__(self, runs: int) -> None:
        self.total, self._since = np.zeros(runs), 0

    def due(self, iteration: int) -> bool:
        """Whether the loss of this iteration's batch counts."""
        return (iteration - self._since) % EVERY == 0

    def mean(self, iteration: int, marked: bool) -> Array | None:
        """The mean ``(R,)`` of the losses before ``iteration``, None without any; at a mark the sum is reset."""
        count = ceil((iteration - self._since) / EVERY)
        mean = self.total / count if count else None
        if marked:
            self.total[...], self._since = 0, iteration
        return mean

    def take(self, other: RunningLoss, runs: Array) -> None:
        """Copy the sums of some of another object's runs."""
        self.total[...], self._since = other.total[runs], other._since

    def state(self, run: int) -> list[float]:
        """The state of one run."""
        return [self._since, float(self.total[run])]

    def restore(self, states: Sequence[Sequence[float]]) -> None:
        """Return to the :meth:`state` of each run, all of the same iteration."""
        self._since, self.total[...] = int(states[0][0]), [total for _, total in states]
