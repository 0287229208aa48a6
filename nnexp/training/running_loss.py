"""The running loss: what mini-batches cost on the way, without a look at all data."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EVERY = 8
"""Of so many mini-batches the loss of one is computed: of all it takes a fifth of a small network's step."""


class RunningLoss:
    """The losses of R runs' mini-batches since the last mark, every eighth.

    Attributes:
        total: their sum ``(R,)``, to which whoever computes a loss adds it.
    """

    def __init__(self, runs: int) -> None:
        self.total, self._since = np.zeros(runs), 0

    def due(self, iteration: int) -> bool:
        """Whether the loss of this iteration's batch counts."""
        return (iteration - self._since) % EVERY == 0

    def mean(self, iteration: int, marked: bool) -> Array | None:
        """The mean ``(R,)`` of those before ``iteration``, None without any; at a mark the sum begins anew."""
        count = ceil((iteration - self._since) / EVERY)
        mean = self.total / count if count else None
        if marked:
            self.total[...], self._since = 0, iteration
        return mean

    def take(self, other: RunningLoss, runs: Array) -> None:
        """Go on with those of some of another's runs."""
        self.total[...], self._since = other.total[runs], other._since

    def state(self, run: int) -> list[float]:
        """What is known of one run."""
        return [self._since, float(self.total[run])]

    def restore(self, states: Sequence[Sequence[float]]) -> None:
        """Go on from what :meth:`state` gave of each run, at one iteration."""
        self._since, self.total[...] = int(states[0][0]), [total for _, total in states]
