"""Search: gradient-free runs, which ask for blocks of candidates and are told their losses."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from nnexp.marks import marks
from nnexp.optim import Noise, SearchMethod, State
from nnexp.problem import Problem
from nnexp.rows import HEARTBEAT, Budget, Improvement, Rows, Standing, Step

Array = np.ndarray[Any, Any]

NEVER = int(np.iinfo(np.int64).max)


def _known(loss: Any) -> float:
    return float(loss) if np.isfinite(loss) else np.nan


class Search:
    """R runs of a gradient-free method on one problem.

    Blocks of candidates, and with them the arithmetic, do not depend on the marks: what was best at a mark
    within a block is read from its improvements.

    Args:
        problem: scores candidates.
        method: with hyperparameters that are numbers, or arrays ``(R,)``.
        theta: the start ``(R, P)``.
        noise: R streams.
        budget: of each run.
        log_every: iterations from mark to mark; None for logarithmic marks.
    """

    def __init__(
        self,
        problem: Problem,
        method: SearchMethod,
        theta: Array,
        *,
        noise: Noise | None,
        budget: Budget,
        log_every: int | None = None,
    ) -> None:
        runs = len(theta)
        self.problem, self.method, self.budget = problem, method, budget
        self._noise = noise
        self._last = NEVER if budget.iterations is None else budget.iterations
        self._most = NEVER if budget.evaluations is None else budget.evaluations
        self._marks = [marks(log_every) for _ in range(runs)]
        self._next = np.array([next(own) for own in self._marks])
        self._logged = np.full(runs, -1)
        self._since = perf_counter()
        self.seconds = 0.0
        self.evaluations = np.zeros(runs, np.int64)
        self.diverged = np.zeros(runs, bool)
        self.ended = np.zeros(runs, bool)
        self.improvements: list[Improvement] = []
        self._steps: list[Step] = []
        self._started = False
        start = np.array(theta, problem.network.dtype)
        self.state: State = method.init(start, np.full(runs, np.inf, start.dtype), noise)

    @property
    def standing(self) -> Standing:
        """Where all runs are; after an interruption, up to the last complete block."""
        seconds = np.full(len(self.ended), self.seconds)
        return Standing(self.state.theta, self.state.iteration, self.evaluations, seconds)

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Search until rows are due, and give them by run; none as a sign of life, None at the end."""
        if self.ended.all():
            return None
        self._since = perf_counter()
        try:
            # NumPy keeps this setting for the whole context, so it must not stay on while the caller works.
            with np.errstate(all="ignore"):
                self._search()
        finally:
            self.seconds = self._clock()
            self._since = perf_counter()
        return self.rows()

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that were not handed out: none, unless the search was interrupted."""
        steps, self._steps = self._steps, []
        own: dict[int, list[Step]] = {}
        for step in steps:
            own.setdefault(step.run, []).append(step)
        return [(run, Rows.of(mine)) for run, mine in own.items()]

    def _clock(self) -> float:
        return self.seconds + perf_counter() - self._since

    def _wake(self) -> float:
        left = HEARTBEAT
        if self.budget.seconds is not None:
            left = min(left, self.budget.seconds - self.seconds)
        return self._since + left

    def _late(self) -> bool:
        return self.budget.seconds is not None and self._clock() >= self.budget.seconds

    def _row(self, run: int, iteration: int) -> Step:
        state = self.state
        known = (self._clock(), _known(state.loss[run]), np.nan, state.theta[run])
        return Step(run, iteration, int(self.evaluations[run]), *known)

    def _search(self) -> None:
        """Blocks, until rows are due or the heart beats."""
        problem, method, wake = self.problem, self.method, self._wake()
        if not self._started:
            self._start()
        while True:
            limit = np.minimum(self._last - self.state.iteration, self._most - self.evaluations)
            over = limit <= 0
            if over.any() or self._late():
                self._end(over | self._late())
                if self.ended.all():
                    return
                limit = np.where(self.ended, 0, limit)
            if self._steps or perf_counter() >= wake:
                return
            before, candidates = method.ask(self.state, limit)
            after = method.tell(before, candidates, problem.score(candidates))
            self._pass(before, after)
            self.state, self.evaluations = after, self.evaluations + before.asked
            found = after.improvements
            if found is not None and len(found.run):
                at = (found.iteration - 1).tolist()
                self.improvements += map(Improvement, found.run.tolist(), at, found.loss.tolist())

    def _start(self) -> None:
        self._started = True
        if self.method.score_start:
            scored = self.problem.score(self.state.theta[:, None, :])
            assert scored.loss is not None
            self.evaluations = self.evaluations + 1
            self.state = self.method.init(self.state.theta, scored.loss[:, 0], self._noise)
        self._pass(self.state, self.state)

    def _end(self, over: Array) -> None:
        """The last rows of the runs that are over now."""
        for run in np.flatnonzero(over & ~self.ended).tolist():
            self.ended[run] = True
            if self.state.iteration[run] != self._logged[run]:
                self._steps.append(self._row(run, int(self.state.iteration[run])))

    def _pass(self, before: State, after: State) -> None:
        """Rows of the marks up to ``after``, each with what was best by then."""
        found = after.improvements
        for run in np.flatnonzero((self._next <= after.iteration) & ~self.ended).tolist():
            mine = np.empty(0, int) if found is None else np.flatnonzero(found.run == run)
            at = np.empty(0, int) if found is None else found.iteration[mine]
            start = int(before.iteration[run])
            while self._next[run] <= after.iteration[run]:
                mark = self._logged[run] = int(self._next[run])
                self._next[run] = next(self._marks[run])
                theta, loss = before.theta[run], before.loss[run]
                count = int(np.searchsorted(at, mark, side="right"))
                if found is not None and count:
                    theta, loss = found.theta[mine[count - 1]], found.loss[mine[count - 1]]
                evaluations = int(self.evaluations[run]) + mark - start
                self._steps.append(
                    Step(run, int(mark), evaluations, self._clock(), _known(loss), np.nan, theta)
                )
