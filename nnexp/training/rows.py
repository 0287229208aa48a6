"""Rows: the progress of runs at their marks, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

HEARTBEAT = 0.25
"""Seconds after which training returns without rows, so that callers can act."""

SPAN = 128
"""Rows within this number of iterations are delivered together."""


class Step(NamedTuple):
    """One row of a run: theta ``(P,)`` is the answer so far, and never changes later.

    ``loss`` and ``accuracy`` are those of theta on all training data, NaN where training did not compute them;
    ``batch_loss`` is the mean loss of the mini-batches since the row before, NaN without any.
    """

    iteration: int
    evaluations: int
    seconds: float
    loss: float
    accuracy: float
    batch_loss: float
    theta: Array


class Progress(NamedTuple):
    """The progress of one run: theta ``(P,)``, and the iterations, evaluations and seconds so far."""

    theta: Array
    iteration: int
    evaluations: int
    seconds: float


class Rows(NamedTuple):
    """Steps of one run as columns of equal length T, ``theta (T, P)``; never written again."""

    iteration: Array
    evaluations: Array
    seconds: Array
    loss: Array
    accuracy: Array
    batch_loss: Array
    theta: Array

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Rows:
        """One or more steps as columns."""
        iteration, evaluations, *numbers, theta = zip(*steps, strict=True)
        counts = np.array(iteration, np.int64), np.array(evaluations, np.int64)
        return cls(*(*counts, *map(np.array, numbers), np.stack(theta)))

    def steps(self) -> list[Step]:
        """The rows one at a time."""
        columns = [column.tolist() for column in self[:-1]]
        return [Step(*row) for row in zip(*columns, self.theta, strict=True)]
