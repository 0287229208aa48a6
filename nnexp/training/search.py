"""Search: a gradient-free run, in blocks of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite, nan
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.optim import Draws, SearchMethod, State
from nnexp.training.budget import Budget
from nnexp.training.marks import affordable, marks
from nnexp.training.problem import Problem
from nnexp.training.rows import HEARTBEAT, SPAN, Progress, Rows, Step
from nnexp.training.search_state import as_plain, from_plain

Array = np.ndarray[Any, Any]

NEVER = int(np.iinfo(np.int64).max)


class Search:
    """One run of a gradient-free method.

    Blocks of candidates, and with them the arithmetic, do not depend on the marks: the answer at a mark within a block
    follows from the block's improvements.

    Args:
        problem: evaluates candidates.
        theta: the initial parameters ``(P,)``.
        log_every: iterations between marks; None for logarithmic marks, as many as are affordable.
        until: the run ends after the block that reaches this iteration; blocks do not depend on it.
        saved: a :meth:`state` to continue from; ``theta`` is still the initial one.
        span: rows within this number of iterations are delivered together.
    """

    def __init__(
        self,
        problem: Problem,
        method: SearchMethod,
        theta: Array,
        *,
        draws: Draws,
        budget: Budget,
        log_every: int | None = None,
        until: int | None = None,
        saved: Mapping[str, Any] | None = None,
        span: int = SPAN,
    ) -> None:
        self._problem, self._method, self._draws = problem, method, draws
        self._last = NEVER if budget.iterations is None else budget.iterations
        self._most = NEVER if budget.evaluations is None else budget.evaluations
        self._most_seconds = inf if budget.seconds is None else budget.seconds
        self._until = NEVER if until is None else until
        theta, trained = np.array(theta, problem.network.dtype), problem.network.layout.trained
        # Methods see trained parameters only.
        self._rest = theta[trained:]
        self._state = State(theta[:trained], inf, 0, None)
        self._evaluations, self._span = 0, span
        self._improvements: list[tuple[int, float]] = []
        self.seconds = 0.0
        self._since = perf_counter()
        self._steps: list[Step] = []
        self._ready: list[tuple[int, Rows]] = []
        self._marks = marks(log_every)
        if log_every is None:
            step, row = problem.samples, problem.row_samples(train=True)
            self._marks = affordable(self._marks, row, step, problem.network.work)
        self._mark, self._logged = next(self._marks), -1
        self._started = self._ended = False
        if saved is not None:
            self._restore(saved)

    def progress(self, run: int = 0) -> Progress:
        """The progress of the run; after an interruption, up to the last complete block."""
        return Progress(
            self._whole(self._state.theta), self._state.iteration, self._evaluations, self.seconds
        )

    def has_diverged(self, run: int = 0) -> bool:
        """Always False: candidates without a finite loss are not accepted, and an answer's loss is in its row."""
        return False

    def state(self, run: int = 0) -> dict[str, Any] | None:
        """The state between two calls of :meth:`advance`, from which the run can continue; None before and after it.

        Raises:
            TypeError: the method's state has a value of a type that cannot be saved.
        """
        if self._ended or not self._started:
            return None
            # The last findings are among the improvements already.
        state = self._state._replace(found=())
        iterations, losses = zip(*self._improvements, strict=True) if self._improvements else ((), ())
        return {
            "iteration": state.iteration,
            "seconds": self.seconds,
            "mark": self._mark,
            "state": as_plain(state, self._own),
            "draws": self._draws.state(),
            "evaluations": self._evaluations,
            "improvements": [np.array(iterations, np.int64), np.array(losses, np.float64)],
            "logged": self._logged,
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        # This lets the method import the classes of its state.
        self._method.init(self._state.theta, inf, self._draws)
        self._draws.restore(saved["draws"])
        self._state = from_plain(saved["state"], self._own)
        self._evaluations, self.seconds = saved["evaluations"], saved["seconds"]
        iterations, losses = (column.tolist() for column in saved["improvements"])
        self._improvements = list(zip(iterations, losses, strict=True))
        while self._mark < saved["mark"]:
            self._mark = next(self._marks)
        self._logged, self._started = saved["logged"], True

    @property
    def _own(self) -> dict[str, Any]:
        return {"draws": self._draws, "normals": self._draws.normals, "rng": self._draws.rng}

    def leave(self, run: int = 0) -> None:
        """End the search."""
        self._ended = True

    def improvements(self, run: int = 0) -> list[tuple[int, float]]:
        """Candidates, counted from 0, that became the answer, each with its loss."""
        return list(self._improvements)

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Search until rows are due, and return them; an empty list as a heartbeat, None at the end."""
        self._ready = []  # the caller has them
        if self._ended:
            return None
        self._since = perf_counter()
        try:
            # The setting holds for the whole context, so it must be off while the caller works.
            with np.errstate(all="ignore"):
                self._search()
        finally:
            self.seconds = self._clock()
            self._since = perf_counter()
        return self.rows()

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that were not delivered because of an interruption, possibly with those delivered just before it."""
        if self._steps:
            ready = [*self._ready, (0, Rows.of(self._steps))]
            # One assignment, so that a signal cannot arrive in between.
            self._ready, self._steps = ready, []
        return self._ready

    def _whole(self, theta: Array) -> Array:
        """Trained parameters, with the others at their initial values: ``(..., P)``."""
        if not len(self._rest):
            return theta
        return np.concatenate(
            [theta, np.broadcast_to(self._rest, (*theta.shape[:-1], len(self._rest)))], axis=-1
        )

    def _clock(self) -> float:
        return self.seconds + perf_counter() - self._since

    def _search(self) -> None:
        """Search in blocks until rows or a heartbeat are due, or the budget is spent."""
        problem, method = self._problem, self._method
        wake, end = self._since + HEARTBEAT, self._since + self._most_seconds - self.seconds
        if not self._started:
            self._start()
        state, spent = self._state, self._evaluations
        while True:
            limit = min(self._last - state.iteration, self._most - spent)
            now = perf_counter()
            if limit <= 0 or now >= end or state.iteration >= self._until:
                if state.iteration != self._logged:
                    self._steps.append(self._row(state.iteration, spent, state.theta, state.loss))
                self._ended = True
                return
            if now >= wake or (self._steps and self._mark - self._steps[0].iteration >= self._span):
                return
            candidates = method.ask(state, limit)
            scored = problem.score(self._whole(candidates)).loss
            assert scored is not None
            after = method.tell(state, candidates, scored)
            steps, improvements = self._steps, self._improvements
            if self._mark <= after.iteration:
                steps = [*steps, *self._passed(state, after, spent)]
            spent += len(candidates)
            if after.found:
                improvements = [
                    *improvements, *((found.iteration - 1, found.loss) for found in after.found)
                ]  # fmt: skip
            # One assignment, so that a signal cannot arrive in between.
            self._state, self._evaluations = after, spent
            self._steps, self._improvements, state = steps, improvements, after
            if after.iteration >= self._last or spent >= self._most:
                return

    def _start(self) -> None:
        self._started = True
        theta, loss = self._state.theta, inf
        if self._method.score_start:
            scored = self._problem.score(self._whole(theta[None])).loss
            assert scored is not None
            self._evaluations, loss = 1, float(scored[0])
        self._state = self._method.init(theta, loss, self._draws)
        self._steps = self._passed(self._state, self._state, self._evaluations)

    def _row(self, iteration: int, evaluations: int, theta: Array, loss: float) -> Step:
        known = loss if isfinite(loss) else nan
        return Step(iteration, evaluations, self._clock(), known, nan, nan, self._whole(theta))

    def _passed(self, before: State, after: State, spent: int) -> list[Step]:
        """Rows of the marks up to ``after``, each with the answer by then."""
        theta, loss, steps = before.theta, before.loss, []
        found = list(after.found)
        while self._mark <= after.iteration:
            mark = self._logged = self._mark
            self._mark = next(self._marks)
            while found and found[0].iteration <= mark:
                _, theta, loss = found.pop(0)
            if mark == after.iteration:
                # An answer that is not a candidate is not among the findings.
                theta, loss = after.theta, after.loss
            steps.append(self._row(mark, spent + mark - before.iteration, theta, loss))
        return steps
