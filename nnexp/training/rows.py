"""Rows: where runs stand at their marks, one at a time or as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

HEARTBEAT = 0.25
"""Seconds after which training comes back without a row, so that callers get a word in."""

SPAN = 128
"""Rows within as many iterations are handed out together."""

EVALUATIONS_PER_GRADIENT = 3
"""A forward pass, and a backward pass that counts as two."""


class Budget(NamedTuple):
    """When a run ends, whichever comes first; None for no limit.

    ``iterations`` and ``evaluations`` are never exceeded, ``seconds`` of training by at most one block.
    """

    iterations: int | None = None
    evaluations: int | None = None
    seconds: float | None = None


class Step(NamedTuple):
    """Where one run stands at one iteration: theta ``(P,)`` is the answer so far, and never changes later.

    ``loss`` and ``accuracy`` are theta's own on all training data, NaN where training did not compute them.
    """

    run: int
    iteration: int
    evaluations: int
    seconds: float
    loss: float
    accuracy: float
    theta: Array


class Improvement(NamedTuple):
    """A candidate, counted from 0, that became a gradient-free run's answer, and its loss."""

    run: int
    candidate: int
    loss: float


class Standing(NamedTuple):
    """Where R runs are: ``theta (R, P)``; iterations, evaluations and seconds ``(R,)`` so far."""

    theta: Array
    iteration: Array
    evaluations: Array
    seconds: Array


class Rows(NamedTuple):
    """Steps of one run as columns of equal length T, ``theta (T, P)``; never written again."""

    iteration: Array
    evaluations: Array
    seconds: Array
    loss: Array
    accuracy: Array
    theta: Array

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Rows:
        """One or more steps as columns."""
        _, iteration, evaluations, seconds, loss, accuracy, theta = zip(*steps, strict=True)
        counts = np.array(iteration, np.int64), np.array(evaluations, np.int64)
        return cls(*counts, np.array(seconds), np.array(loss), np.array(accuracy), np.stack(theta))

    def steps(self, run: int) -> list[Step]:
        """The rows one at a time."""
        columns = [column.tolist() for column in self[:5]]
        return [Step(run, *row) for row in zip(*columns, self.theta, strict=True)]
