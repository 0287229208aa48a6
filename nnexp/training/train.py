"""Training: a generator of steps, from the untouched start to the end of the budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nnexp.optim import GradientMethod, Method, Noise
from nnexp.training.descent import Descent
from nnexp.training.problem import Problem
from nnexp.training.rows import EVALUATIONS_PER_GRADIENT, Budget, Improvement, Rows, Standing, Step
from nnexp.training.search import Search

Array = np.ndarray[Any, Any]

__all__ = ["EVALUATIONS_PER_GRADIENT", "Budget", "Improvement", "Step", "Training", "gradient_steps"]


def gradient_steps(budget: Budget) -> int:
    """The most updates that a budget has room for.

    >>> gradient_steps(Budget(iterations=100, evaluations=10))
    3
    """
    least = np.iinfo(np.int64).max
    for limit, each in ((budget.iterations, 1), (budget.evaluations, EVALUATIONS_PER_GRADIENT)):
        least = least if limit is None else min(least, limit // each)
    return int(least)


class Training:
    """R runs trained together on one problem.

    A row is yielded at each mark and at each run's end.

    Args:
        problem: scores candidates.
        method: with hyperparameters that are numbers, or arrays ``(R,)``.
        theta: the start ``(R, P)``.
        noise: R streams, for a gradient-free method.
        batches: one generator a run, for a method with a batch size.
        budget: of each run.
        log_every: iterations from mark to mark; None for logarithmic marks.

    Raises:
        ValueError: a budget without any limit, or a batch size that does not fit the data.
    """

    def __init__(
        self,
        problem: Problem,
        method: Method,
        theta: Array,
        *,
        budget: Budget,
        noise: Noise | None = None,
        batches: Sequence[np.random.Generator] = (),
        log_every: int | None = None,
    ) -> None:
        if budget == Budget():
            raise ValueError("budget: expected a limit of iterations, evaluations or seconds")
        self.problem, self.method, self.budget = problem, method, budget
        self._work: Descent | Search
        if isinstance(method, GradientMethod):
            self._work = Descent(
                problem,
                method,
                theta,
                iterations=np.full(len(theta), gradient_steps(budget)),
                batches=batches,
                log_every=log_every,
                most_seconds=budget.seconds,
            )
        else:
            assert noise is not None
            self._work = Search(problem, method, theta, noise=noise, budget=budget, log_every=log_every)

    def blocks(self) -> Iterator[list[tuple[int, Rows]]]:
        """Rows by run as they come, in order of iteration; an empty list is a sign of life.

        The clock stands while the caller has the rows.
        """
        while (rows := self._work.advance()) is not None:
            yield rows

    def steps(self) -> Iterator[list[Step]]:
        """The same rows one at a time."""
        for block in self.blocks():
            yield [step for run, rows in block for step in rows.steps(run)]

    def left(self) -> list[tuple[int, Rows]]:
        """Rows that an interruption kept from being yielded."""
        return self._work.rows()

    @property
    def state(self) -> Standing:
        """Where the runs are; after an interruption too."""
        return self._work.standing

    @property
    def seconds(self) -> float:
        """Seconds of training: logging and waiting for the caller are left out."""
        return self._work.seconds

    @property
    def diverged(self) -> Array:
        """Which runs ``(R,)`` ended because a loss or a weight was not finite."""
        return self._work.diverged

    @property
    def improvements(self) -> list[Improvement]:
        """What the gradient-free runs found, in order."""
        return self._work.improvements if isinstance(self._work, Search) else []
