"""Descent: gradient runs trained together, one batched computation a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from nnexp.calls import Call, run
from nnexp.config.settings import take
from nnexp.data.batches import Batches
from nnexp.network.buffers import Memory
from nnexp.optim import At, GradientMethod
from nnexp.training.block import Answer, Block
from nnexp.training.marks import affordable, marks
from nnexp.training.passes import Pass
from nnexp.training.problem import Problem
from nnexp.training.rows import HEARTBEAT, SPAN, Progress, Rows
from nnexp.training.running_loss import RunningLoss

Array = np.ndarray[Any, Any]

NEVER = int(np.iinfo(np.int64).max)

SPAN_BYTES = 1 << 22
"""Largest size of the weights in rows that are not delivered yet."""


class _Step(NamedTuple):
    """A pass, the calls for its gradient without and with its loss, and the calls of the update."""

    part: Pass
    calls: tuple[Call, ...]
    with_loss: tuple[Call, ...]
    update: tuple[Call, ...]


class _ActiveRuns:
    """The runs in training and their buffers: one object, so that an interruption finds a consistent state.

    ``runs`` are their numbers, ``limits`` their iterations, ``count`` the iterations done ``()``, which each update
    increases, ``theta`` their present parameters, ``running`` the losses of mini-batches.
    """

    def __init__(
        self,
        runs: Array,
        limits: Array,
        count: Array,
        problem: Problem,
        method: GradientMethod,
        batches: Batches | None,
        draws: Sequence[np.random.Generator],
        layer_draws: Sequence[np.random.Generator],
        memory: dict[str, Array],
        theta: Array,
        span: int,
    ) -> None:
        self.runs, self.limits, self.batches, self._count = runs, limits, batches, count
        self.running = RunningLoss(len(runs))
        self._problem, self._method, self._draws, self.memory = problem, method, draws, memory
        self._layer_draws, self._trained, self._span = layer_draws, problem.network.layout.trained, span
        size, buffers = method.batch_size, Memory()
        lengths = [None] if size is None else sorted({size, problem.samples % size or size})
        passes = {length: problem.bind(len(runs), length, buffers, layer_draws) for length in lengths}
        self.passed = passes[size]
        self.theta, self.gradient = self.passed.theta, self.passed.gradient
        self.theta[...] = theta
        self.parts = {length: self._bound(part) for length, part in passes.items()}
        self.full = self.passed.calls(accuracy=self.passed.accuracy is not None, gradient=True)
        at = self._at(self.passed)
        trained = method.answer(at)
        self.answer = Answer(trained, self.theta[:, self._trained :])
        self.stop = int(limits.min())
        # The loss of a full batch is that of the answer, unless the answer is not theta or layers are noisy in
        # training.
        self.measured = size is None and trained is at.theta and not problem.network.noisy
        most = max(1, min(span, SPAN_BYTES // theta.nbytes))
        self.block = Block(runs, self.passed, self.answer, method.evaluations, self.measured, most, span)

    def _at(self, part: Pass) -> At:
        assert part.gradient is not None
        again = part.calls(loss=True, gradient=True)
        # Methods see trained parameters only.
        theta, gradient = (array[:, : self._trained] for array in (part.theta, part.gradient))
        return At(theta, gradient, part.loss, self._count, self.limits, again, self._draws, self.memory)

    def _bound(self, part: Pass) -> _Step:
        counted: Call = partial(np.add, self._count, 1, self._count)
        update = (*self._method.bind(self._at(part)), *part.update, counted)
        added: Call = partial(np.add, self.running.total, part.loss, self.running.total)
        return _Step(
            part,
            part.calls(loss=False, gradient=True),
            (*part.calls(loss=True, gradient=True), added),
            update,
        )

    def step(self, length: int | None, iteration: int) -> tuple[Pass, tuple[Call, ...], tuple[Call, ...]]:
        """A pass, the calls for its gradient, with its loss when that is due, and the calls of the update."""
        part, calls, with_loss, update = self.parts[length]
        due = length is not None and self.running.due(iteration)
        return part, with_loss if due else calls, update

    def sound(self) -> Array:
        """Which runs have a finite loss or, where the loss is not known, finite weights."""
        known = self.batches is None
        return np.asarray(np.isfinite(self.passed.loss) if known else np.isfinite(self.theta).all(axis=1))

    def select(self, keep: Array) -> _ActiveRuns:
        """Some of these runs, with their present gradient."""
        assert self.gradient is not None
        part = _ActiveRuns(
            self.runs[keep],
            self.limits[keep],
            self._count,
            self._problem.select(keep),
            take(self._method, keep),
            None if self.batches is None else self.batches.select(keep),
            [self._draws[at] for at in keep.tolist()] if self._draws else (),
            [self._layer_draws[at] for at in keep.tolist()] if self._layer_draws else (),
            {name: array[keep] for name, array in self.memory.items()},
            self.theta[keep],
            self._span,
        )
        assert part.gradient is not None
        part.gradient[...] = self.gradient[keep]
        part.running.take(self.running, keep)
        return part


class Descent:
    """R runs of a gradient method, each with its own initial theta, budget, hyperparameters and batches.

    A run that reached its budget, or whose loss or weights are not finite at a mark, ends and leaves the
    computation without an effect on the others. The clock runs during training only, and its time is shared: each
    moment is divided by the number of active runs.

    Args:
        problem: with the same data for all runs, or with a run axis.
        method: with hyperparameters that are numbers, or arrays ``(R,)``.
        theta: the initial parameters ``(R, P)``.
        iterations: of each run ``(R,)``.
        batches: one generator a run, for a method with a batch size.
        draws: one generator a run, for the method.
        layer_draws: one generator a run, for layers.
        log_every: iterations between marks; None for logarithmic marks, as many as are affordable.
        most_seconds: of training, after which all runs end.
        until: updates after which all runs end, even if their budgets allow more.
        saved: the :meth:`state` of each run, all of the same iteration and time, to continue from; ``theta`` is still
            the initial one, and generators are in their saved states.
        span: rows within this number of iterations are delivered together.

    Raises:
        ValueError: a batch size that does not fit the data.
    """

    def __init__(
        self,
        problem: Problem,
        method: GradientMethod,
        theta: Array,
        *,
        iterations: Array,
        batches: Sequence[np.random.Generator] = (),
        draws: Sequence[np.random.Generator] = (),
        layer_draws: Sequence[np.random.Generator] = (),
        log_every: int | None = None,
        most_seconds: float | None = None,
        until: int | None = None,
        saved: Sequence[Mapping[str, Any]] = (),
        span: int = SPAN,
    ) -> None:
        size, runs = method.batch_size, len(theta)
        epochs = None if size is None else Batches(batches, problem.samples, size)
        self._marks = marks(log_every)
        if log_every is None:
            step = method.evaluations * (size or problem.samples)
            row = problem.row_samples(train=size is not None or problem.network.noisy)
            self._marks = affordable(self._marks, row, step, problem.network.work)
        self._mark = next(self._marks)
        self._most_seconds, self._until = most_seconds, NEVER if until is None else until
        self.diverged = np.zeros(runs, bool)
        self.seconds = 0.0
        # A NumPy counter, so that theta and the count change together even if a signal arrives.
        self._count = np.zeros((), np.int64)
        self._share, self._since = 0.0, perf_counter()
        # Results of the runs that have ended.
        self._iterations, self._shares = np.zeros(runs, np.int64), np.zeros(runs)
        self._answers = np.array(theta, problem.network.dtype)
        memory: dict[str, Array] = {}
        if saved:
            first = saved[0]
            self._count[...], self._share, self.seconds = (
                first["iteration"],
                first["seconds"],
                first["seconds"],
            )
            self._answers = np.stack([one["theta"] for one in saved])
            memory = {name: np.stack([one["memory"][name] for one in saved]) for name in first["memory"]}
            if epochs is not None:
                epochs.restore([one["batches"] for one in saved])
            while self._mark < first["mark"]:
                self._mark = next(self._marks)
        self._ready: list[tuple[int, Rows]] = []
        self._evaluations = method.evaluations
        limits = np.asarray(iterations)
        self._active: _ActiveRuns | None = _ActiveRuns(
            np.arange(runs),
            limits,
            self._count,
            problem,
            method,
            epochs,
            draws,
            layer_draws,
            memory,
            self._answers,
            span,
        )
        if saved:
            self._active.running.restore([one["running"] for one in saved])

    def progress(self, run: int) -> Progress:
        """The progress of one run, also after an interruption."""
        active = self._active
        if active is not None and run in active.runs:
            at = int(np.searchsorted(active.runs, run))
            theta, iteration, share = active.answer.of(at), int(self._count), self._share
        else:
            theta, iteration, share = self._answers[run], int(self._iterations[run]), self._shares[run]
        return Progress(theta, iteration, self._evaluations * iteration, float(share))

    def has_diverged(self, run: int) -> bool:
        """Whether a run ended because its loss or a weight was not finite."""
        return bool(self.diverged[run])

    def state(self, run: int) -> dict[str, Any] | None:
        """The state of a run between two calls of :meth:`advance`, from which it can continue; None if it has ended."""
        active = self._active
        if active is None or run not in active.runs:
            return None
        at = int(np.searchsorted(active.runs, run))
        return {
            "iteration": int(self._count),
            "seconds": self._share,
            "mark": self._mark,
            "theta": active.theta[at].copy(),
            "memory": {name: np.array(array[at]) for name, array in active.memory.items()},
            "batches": None if active.batches is None else active.batches.state(at),
            "running": active.running.state(at),
        }

    def leave(self, run: int) -> None:
        """End a run; to be called between two calls of :meth:`advance`, when all rows are delivered."""
        active = self._active
        if active is not None and run in active.runs:
            stays = active.runs != run
            left = active.select(np.flatnonzero(stays)) if stays.any() else None
            self._answers[run], self._iterations[run] = active.answer.of(~stays), self._count
            self._shares[run], self._active = self._share, left

    def improvements(self, run: int) -> list[tuple[int, float]]:
        """An empty list: gradient runs have no candidates."""
        return []

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Train until rows are due, and return them by run; an empty list as a heartbeat, None at the end."""
        active = self._active
        self._ready = []  # the caller has them
        if active is None:
            return None
        self._since = perf_counter()
        try:
            # The setting holds for the whole context, so it must be off while the caller works.
            with np.errstate(all="ignore"):
                self._train(active)
        finally:
            self._spend()
        return self.rows()

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that were not delivered because of an interruption, possibly with those delivered just before it."""
        active = self._active
        if active is not None:
            ready, block = [*self._ready, *active.block.rows()], active.block.next()
            # One assignment, so that a signal cannot arrive in between.
            self._ready, active.block = ready, block
        return [(run, rows) for run, rows in self._ready if len(rows.iteration)]

    def _train(self, active: _ActiveRuns) -> None:
        """Train until rows or a heartbeat are due, or a budget is spent."""
        wake = self._since + HEARTBEAT
        if self._most_seconds is not None:
            wake = min(wake, self._since + self._most_seconds - self.seconds)
        runs, loss, batches, block = len(active.runs), active.passed.loss, active.batches, active.block
        stop = min(active.stop, self._until)
        calls: Sequence[Call] = ()
        update: Sequence[Call] = ()
        if batches is None:
            _, calls, update = active.step(None, 0)
        while True:
            now, at = perf_counter(), self._count.item()
            late = now >= wake
            over = at >= stop or (late and self._out_of_time(now))
            look = over or at == self._mark
            lost = active.running.mean(at, at == self._mark) if look and batches is not None else None
            if batches is not None:
                batch = batches.next()
                part, calls, update = active.step(batch.shape[1], at)
                part.fill(batch)
            run(active.full if look and batches is None else calls)
            if look:
                block.add(at, self._share + (now - self._since) / runs, lost)
                marked = at == self._mark
                if marked:
                    self._mark = next(self._marks)
                if batches is not None:
                    sound = bool(active.sound().all())
                else:
                    sound = isfinite(loss.item() if runs == 1 else np.add.reduce(loss))
                late = late or block.due(self._mark)
                if over or not sound:
                    left = self._end(active, marked, at >= self._until or self._out_of_time(now))
                    if left is None:
                        return
                    if left is not active:
                        length = None if batches is None else batch.shape[1]
                        part, _, update = left.step(length, at)
                        if batches is not None:
                            # For methods that ask for the gradient again.
                            part.fill(batch[np.searchsorted(active.runs, left.runs)])
                    active, late = left, True
            run(update)
            if late or at + 1 == active.stop:
                return

    def _end(self, active: _ActiveRuns, marked: bool, all_end: bool) -> _ActiveRuns | None:
        """The active runs without those that are over or have diverged, at a step whose gradient is known.

        Without a mark, only the runs that end have the last row.
        """
        over = (active.limits <= self._count) | all_end
        bad = ~active.sound() & (over | marked)
        over |= bad
        if not over.any():
            return active  # the sum of the losses was not finite, but each was
        self._spend()
        gone, keep = active.runs[over], np.flatnonzero(~over)
        left = active.select(keep) if len(keep) else None
        self.diverged[active.runs[bad]] = True
        self._answers[gone], self._iterations[gone] = active.answer.of(over), self._count
        self._shares[gone] = self._share
        ready = list(self._ready)
        for (number, columns), own in zip(active.block.rows(), over.tolist(), strict=True):
            last = len(columns.iteration) - (not marked and not own)
            ready.append((number, Rows(*(column[:last] for column in columns))))
        # One assignment, so that a signal cannot arrive in between.
        self._ready, self._active = ready, left
        return left

    def _spend(self) -> None:
        now = perf_counter()
        self.seconds += now - self._since
        self._share += (now - self._since) / (len(self._active.runs) if self._active is not None else 1)
        self._since = now

    def _out_of_time(self, now: float) -> bool:
        return self._most_seconds is not None and self.seconds + now - self._since >= self._most_seconds
