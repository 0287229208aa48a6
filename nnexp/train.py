"""Training: a generator of steps, from the untouched start to the end of the budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from nnexp.batches import Batches
from nnexp.marks import marks
from nnexp.optim import Method, Noise
from nnexp.optim.protocol import State
from nnexp.problem import Problem, Score

Array = np.ndarray[Any, Any]

HEARTBEAT = 0.25
"""Seconds after which an empty list is yielded if no row is complete, so that callers get a word in."""

EVALUATIONS_PER_GRADIENT = 3
"""A forward pass, and a backward pass that counts as two."""

NEVER = np.iinfo(np.int64).max


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


def _known(loss: Any) -> float:
    return float(loss) if np.isfinite(loss) else np.nan


class Training:
    """R runs trained together on one problem.

    A row is yielded at each mark and at each run's end. Blocks of candidates, and with them the arithmetic,
    do not depend on the marks: what was best at a mark within a block is read from its improvements.

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
        runs = len(theta)
        self.problem, self.method, self.budget = problem, method, budget
        self._noise = noise
        size = method.batch_size
        self._batches = None if size is None else Batches(batches, problem.samples, size)
        self._marks = [marks(log_every) for _ in range(runs)]
        self._next = np.array([next(own) for own in self._marks])
        self._logged = np.full(runs, -1)
        self._since = perf_counter()
        self.seconds = 0.0
        self.evaluations = np.zeros(runs, np.int64)
        self.diverged = np.zeros(runs, bool)
        self.ended = np.zeros(runs, bool)
        self.improvements: list[Improvement] = []
        start = np.array(theta, problem.network.dtype)
        self.state = method.init(start, np.full(runs, np.inf, start.dtype), noise)

    def steps(self) -> Iterator[list[Step]]:
        """Rows as they come, in order of iteration for each run; an empty list is a sign of life.

        The clock stands while the caller has the rows.
        """
        rows_of = self._descend() if self.method.needs_gradient else self._search()
        while True:
            self._since = perf_counter()
            # NumPy keeps this setting for the whole context, so it must not stay on across a yield.
            with np.errstate(all="ignore"):
                rows = next(rows_of, None)
            self.seconds = self._clock()
            self._since = perf_counter()
            if rows is None:
                return
            yield rows

    def now(self) -> list[Step]:
        """Where each run stands; right after an interruption too, up to the last complete block."""
        return [self._row(run, int(self.state.iteration[run])) for run in range(len(self.ended))]

    def _clock(self) -> float:
        return self.seconds + perf_counter() - self._since

    def _wake(self) -> float:
        left = HEARTBEAT
        if self.budget.seconds is not None:
            left = min(left, self.budget.seconds - self.seconds)
        return self._since + left

    def _late(self) -> bool:
        return self.budget.seconds is not None and self._clock() >= self.budget.seconds

    def _limit(self, name: str) -> int:
        limit = getattr(self.budget, name)
        return NEVER if limit is None else int(limit)

    def _row(self, run: int, iteration: int) -> Step:
        evaluations = int(self.evaluations[run])
        if self.method.needs_gradient:
            evaluations = EVALUATIONS_PER_GRADIENT * iteration
        state = self.state
        return Step(
            run, iteration, evaluations, self._clock(), _known(state.loss[run]), np.nan, state.theta[run]
        )

    def _pass_mark(self, run: int) -> int:
        mark = int(self._next[run])
        self._logged[run], self._next[run] = mark, next(self._marks[run])
        return mark

    def _search(self) -> Iterator[list[Step]]:
        problem, method = self.problem, self.method
        if method.score_start:
            scored = problem.score(self.state.theta[:, None, :])
            assert scored.loss is not None
            self.evaluations = self.evaluations + 1
            self.state = method.init(self.state.theta, scored.loss[:, 0], self._noise)
        rows = self._passed(self.state, self.state)
        last, most = self._limit("iterations"), self._limit("evaluations")
        wake = self._wake()
        while True:
            limit = np.minimum(last - self.state.iteration, most - self.evaluations)
            for run in np.flatnonzero(((limit <= 0) | self._late()) & ~self.ended).tolist():
                self.ended[run] = True
                if self.state.iteration[run] != self._logged[run]:
                    rows.append(self._row(run, int(self.state.iteration[run])))
            if rows or perf_counter() >= wake:
                yield rows
                wake = self._wake()
            if self.ended.all():
                return
            before, candidates = method.ask(self.state, np.where(self.ended, 0, limit))
            after = method.tell(before, candidates, problem.score(candidates))
            rows = self._passed(before, after)
            self.state, self.evaluations = after, self.evaluations + before.asked
            found = after.improvements
            if found is not None and len(found.run):
                at = (found.iteration - 1).tolist()
                self.improvements += map(Improvement, found.run.tolist(), at, found.loss.tolist())

    def _passed(self, before: State, after: State) -> list[Step]:
        """Rows of the marks up to ``after``, each with what was best by then."""
        rows = []
        found = after.improvements
        for run in np.flatnonzero((self._next <= after.iteration) & ~self.ended).tolist():
            mine = np.empty(0, int) if found is None else np.flatnonzero(found.run == run)
            at = np.empty(0, int) if found is None else found.iteration[mine]
            start = int(before.iteration[run])
            while self._next[run] <= after.iteration[run]:
                mark = self._pass_mark(run)
                theta, loss = before.theta[run], before.loss[run]
                count = int(np.searchsorted(at, mark, side="right"))
                if found is not None and count:
                    theta, loss = found.theta[mine[count - 1]], found.loss[mine[count - 1]]
                evaluations = int(self.evaluations[run]) + mark - start
                rows.append(Step(run, mark, evaluations, self._clock(), _known(loss), np.nan, theta))
        return rows

    def _descend(self) -> Iterator[list[Step]]:
        problem, method = self.problem, self.method
        last = min(self._limit("iterations"), self._limit("evaluations") // EVALUATIONS_PER_GRADIENT)
        wake = self._wake()
        # All runs are at the same iteration, so they share their marks.
        iteration, mark = 0, int(self._next[0])
        while True:
            late = perf_counter() >= wake
            over = iteration >= last or (late and self._late())
            look = over or iteration == mark
            batch = None if self._batches is None or over else self._batches.next()
            # A full batch gives the loss on the way; of a mini-batch it would be another function's.
            free = look and self._batches is None
            theta = self.state.theta[:, None, :]
            score = problem.score(theta, loss=free, accuracy=free, gradient=not over, batch=batch)
            if look or late:
                if iteration == mark:
                    self._pass_mark(0)
                    mark = int(self._next[0])
                yield self._seen(iteration, score) if look else []
                wake = self._wake()
                if over or self.diverged.any():
                    self.ended |= over | self.diverged
                    if self.ended.all():
                        return
            self.state = method.tell(self.state, theta, score)
            iteration += 1

    def _seen(self, iteration: int, score: Score) -> list[Step]:
        """Rows of the runs that are still going; those without a finite loss, or weights, have diverged."""
        theta = self.state.theta
        nothing = [np.nan] * len(theta)
        losses = nothing if score.loss is None else score.loss[:, 0].tolist()
        accuracies = nothing if score.accuracy is None else score.accuracy[:, 0].tolist()
        clock, evaluations = self._clock(), EVALUATIONS_PER_GRADIENT * iteration
        rows = [
            Step(run, iteration, evaluations, clock, losses[run], accuracies[run], theta[run])
            for run, ended in enumerate(self.ended.tolist())
            if not ended
        ]
        for row in rows:
            # A weight that is not finite makes the loss so, where training knows it.
            if not isfinite(row.loss) and (score.loss is not None or not np.isfinite(row.theta).all()):
                self.diverged[row.run] = True
        return rows
