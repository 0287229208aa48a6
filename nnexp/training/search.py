"""Search: gradient-free runs, which ask for blocks of candidates and are told their losses."""

from __future__ import annotations

from math import inf, isfinite, nan
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.optim import Noise, SearchMethod, State
from nnexp.training.marks import marks
from nnexp.training.problem import Problem
from nnexp.training.rows import HEARTBEAT, SPAN, Budget, Improvement, Rows, Standing, Step

Array = np.ndarray[Any, Any]

NEVER = int(np.iinfo(np.int64).max)


class Search:
    """R runs of a gradient-free method on one problem, one after another.

    Nothing would be won by doing them side by side: what they spend is the arithmetic of their candidates,
    which are computed in blocks already. Blocks, and with them the arithmetic, do not depend on the marks: what was
    best at a mark within a block is read from its improvements.

    Args:
        problem: scores candidates.
        method: with hyperparameters that are numbers, or arrays ``(R,)``.
        theta: the start ``(R, P)``.
        noise: R streams.
        budget: of each run; seconds of all together.
        log_every: iterations from mark to mark; None for logarithmic marks.
    """

    def __init__(
        self,
        problem: Problem,
        method: SearchMethod,
        theta: Array,
        *,
        noise: Noise,
        budget: Budget,
        log_every: int | None = None,
    ) -> None:
        self.problem, self.method, self.budget = problem, method, budget
        self._noise, self._log_every = noise, log_every
        self._last = NEVER if budget.iterations is None else budget.iterations
        self._most = NEVER if budget.evaluations is None else budget.evaluations
        starts = np.array(theta, problem.network.dtype)
        self.states: list[State] = [
            method.select(run).init(start, inf, noise[run]) for run, start in enumerate(starts)
        ]
        self.evaluations = [0] * len(starts)
        self.diverged = np.zeros(len(starts), bool)
        self.improvements: list[Improvement] = []
        self.seconds = 0.0
        self._since = perf_counter()
        self._steps: list[Step] = []
        self._ready: list[tuple[int, Rows]] = []
        self._run = -1
        self._next_run()

    @property
    def standing(self) -> Standing:
        """Where all runs are; after an interruption, up to the last complete block."""
        theta = np.stack([state.theta for state in self.states])
        iterations = np.array([state.iteration for state in self.states], np.int64)
        seconds = np.full(len(theta), self.seconds)
        return Standing(theta, iterations, np.array(self.evaluations, np.int64), seconds)

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Search until rows are due, and give them by run; none as a sign of life, None at the end."""
        self._ready = []  # the caller has them
        if self._run == len(self.states):
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
        """Rows that an interruption kept from being handed out, and maybe those handed out before it."""
        if self._steps:
            ready = [*self._ready, (self._steps[0].run, Rows.of(self._steps))]
            # Together, without a call between that a signal could come in at.
            self._ready, self._steps = ready, []
        return self._ready

    def _clock(self) -> float:
        return self.seconds + perf_counter() - self._since

    def _next_run(self) -> None:
        self._run += 1
        self._marks = marks(self._log_every)
        self._mark, self._logged = next(self._marks), -1
        self._started = False

    def _search(self) -> None:
        """Blocks of one run, until rows are due or the heart beats."""
        run, problem, method = self._run, self.problem, self.method.select(self._run)
        wake, end = self._since + HEARTBEAT, inf
        if self.budget.seconds is not None:
            end = self._since + self.budget.seconds - self.seconds
        if not self._started:
            self._start(run)
        state, spent = self.states[run], self.evaluations[run]
        while True:
            limit = min(self._last - state.iteration, self._most - spent)
            now = perf_counter()
            if limit <= 0 or now >= end:
                if state.iteration != self._logged:
                    self._steps.append(self._row(run, state.iteration, spent, state.theta, state.loss))
                self._next_run()
                return
            if now >= wake or (self._steps and self._mark - self._steps[0].iteration >= SPAN):
                return
            candidates = method.ask(state, limit)
            scored = problem.score(candidates).loss
            assert scored is not None
            after = method.tell(state, candidates, scored)
            steps, improvements = self._steps, self.improvements
            if self._mark <= after.iteration:
                steps = [*steps, *self._passed(run, state, after, spent)]
            spent += len(candidates)
            if after.found:
                more = [Improvement(run, found.iteration - 1, found.loss) for found in after.found]
                improvements = [*improvements, *more]
            # Together, without a call between that a signal could come in at.
            self.states[run], self.evaluations[run] = after, spent
            self._steps, self.improvements, state = steps, improvements, after

    def _start(self, run: int) -> None:
        self._started = True
        if self.method.score_start:
            theta = self.states[run].theta
            scored = self.problem.score(theta[None]).loss
            assert scored is not None
            self.evaluations[run] = 1
            self.states[run] = self.method.select(run).init(theta, float(scored[0]), self._noise[run])
        self._steps = self._passed(run, self.states[run], self.states[run], self.evaluations[run])

    def _row(self, run: int, iteration: int, evaluations: int, theta: Array, loss: float) -> Step:
        known = loss if isfinite(loss) else nan
        return Step(run, iteration, evaluations, self._clock(), known, nan, theta)

    def _passed(self, run: int, before: State, after: State, spent: int) -> list[Step]:
        """Rows of the marks up to ``after``, each with what was best by then."""
        theta, loss, steps = before.theta, before.loss, []
        found = list(after.found)
        while self._mark <= after.iteration:
            mark = self._logged = self._mark
            self._mark = next(self._marks)
            while found and found[0].iteration <= mark:
                _, theta, loss = found.pop(0)
            steps.append(self._row(run, mark, spent + mark - before.iteration, theta, loss))
        return steps
