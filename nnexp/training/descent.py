"""Descent: gradient runs side by side, one batched computation a step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.data.batches import Batches
from nnexp.network.activations import Call, run
from nnexp.network.buffers import Memory
from nnexp.optim import GradientMethod
from nnexp.training.marks import marks
from nnexp.training.problem import Pass, Problem
from nnexp.training.rows import EVALUATIONS_PER_GRADIENT, HEARTBEAT, SPAN, Rows, Standing

Array = np.ndarray[Any, Any]

SPAN_BYTES = 1 << 22
"""No more weights than this wait in rows to be handed out."""


class _Block:
    """Rows of the runs that are going, until they are handed out."""

    def __init__(self, runs: Array, of: Pass, measured: bool, most: int) -> None:
        self._runs, self._of, self._measured, self._most = runs, of, measured, most
        self._iterations: list[int] = []
        self._seconds: list[float] = []
        theta, shape = of.theta, (most, len(runs))
        self._theta = np.empty((most, *theta.shape), theta.dtype)
        self._loss, self._accuracy = np.full(shape, np.nan, theta.dtype), np.full(shape, np.nan)

    def next(self) -> _Block:
        """An empty one; the rows of this one are whoever's they were handed to."""
        return _Block(self._runs, self._of, self._measured, self._most)

    def add(self, iteration: int, seconds: float) -> None:
        """A row of what the pass holds."""
        at, of = len(self._iterations), self._of
        self._theta[at] = of.theta
        if self._measured:
            self._loss[at] = of.loss
            if of.accuracy is not None:
                self._accuracy[at] = of.accuracy
        self._seconds.append(seconds)
        self._iterations.append(iteration)

    def due(self, next_mark: int) -> bool:
        """Whether to hand out now, rather than wait for the row of the next mark."""
        rows = self._iterations
        return len(rows) == self._most or next_mark - rows[0] >= SPAN

    def rows(self) -> list[tuple[int, Rows]]:
        """The rows by run."""
        count = len(self._iterations)
        if not count:
            return []
        iteration, seconds = np.array(self._iterations, np.int64), np.array(self._seconds)
        evaluations = EVALUATIONS_PER_GRADIENT * iteration
        # Of NaN and inf, inf: NaN is for a loss that was not computed.
        loss = np.fmin(self._loss, np.inf) if self._measured else self._loss
        columns = [
            column[:count].swapaxes(0, 1) for column in (loss.astype(np.float64), self._accuracy, self._theta)
        ]
        return [
            (run, Rows(iteration, evaluations, seconds, *own))
            for run, *own in zip(self._runs.tolist(), *columns, strict=True)
        ]


class _Going:
    """The runs that are going, and what trains them: one object, so that an interruption finds all or nothing.

    ``runs`` are their numbers, ``limits`` their iterations, ``count`` the iterations done ``()``, to which each
    update adds; ``theta`` is where they are.
    """

    def __init__(
        self,
        runs: Array,
        limits: Array,
        count: Array,
        problem: Problem,
        method: GradientMethod,
        batches: Batches | None,
        memory: dict[str, Array],
        theta: Array,
    ) -> None:
        self.runs, self.limits, self.batches, self._count = runs, limits, batches, count
        self._problem, self._method, self._memory = problem, method, memory
        size, buffers = method.batch_size, Memory()
        lengths = [None] if size is None else sorted({size, problem.samples % size or size})
        passes = {length: problem.bind(len(runs), length, buffers) for length in lengths}
        self.passed = passes[size]
        self.parts = {
            length: (part, part.calls(loss=False, gradient=True)) for length, part in passes.items()
        }
        self.full = self.passed.calls(accuracy=self.passed.accuracy is not None, gradient=True)
        self.theta, self.gradient = self.passed.theta, self.passed.gradient
        self.theta[...] = theta
        assert self.gradient is not None
        moves = method.bind(self.theta, self.gradient, memory)
        self.update: tuple[Call, ...] = (*moves, partial(np.add, count, 1, count))
        self.stop = int(limits.min())
        self.block = _Block(runs, self.passed, size is None, max(1, min(SPAN, SPAN_BYTES // theta.nbytes)))

    def sound(self) -> Array:
        """Which runs' losses, or weights where losses are not known, are finite."""
        known = self.batches is None
        return np.asarray(np.isfinite(self.passed.loss) if known else np.isfinite(self.theta).all(axis=1))

    def select(self, keep: Array) -> _Going:
        """Some of these runs, with the gradient that is known."""
        assert self.gradient is not None
        part = _Going(
            self.runs[keep],
            self.limits[keep],
            self._count,
            self._problem.select(keep),
            self._method.select(keep),
            None if self.batches is None else self.batches.select(keep),
            {name: array[keep] for name, array in self._memory.items()},
            self.theta[keep],
        )
        assert part.gradient is not None
        part.gradient[...] = self.gradient[keep]
        return part


class Descent:
    """R runs of a gradient method, each with its own start, budget, hyperparameters and batches.

    A run that reached its budget, or whose loss or weights are not finite at a mark, ends and leaves the
    computation; nothing of it reaches the others. The clock runs while training does, and its time is
    shared: each moment is divided by the runs then going.

    Args:
        problem: with the same data for all runs, or with a run axis.
        method: with hyperparameters that are numbers, or arrays ``(R,)``.
        theta: the start ``(R, P)``.
        iterations: of each run ``(R,)``.
        batches: one generator a run, for a method with a batch size.
        log_every: iterations from mark to mark; None for logarithmic marks.
        most_seconds: of training, after which all runs end.

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
        log_every: int | None = None,
        most_seconds: float | None = None,
    ) -> None:
        size, runs = method.batch_size, len(theta)
        epochs = None if size is None else Batches(batches, problem.samples, size)
        self._marks = marks(log_every)
        self._mark = next(self._marks)
        self._most_seconds = most_seconds
        self.diverged = np.zeros(runs, bool)
        self.seconds = 0.0
        # Counted by NumPy, so that theta and the count change together, even if a signal comes.
        self._count = np.zeros((), np.int64)
        self._share, self._since = 0.0, perf_counter()
        # Where the runs that have ended stand.
        self._iterations, self._shares = np.zeros(runs, np.int64), np.zeros(runs)
        self._answers = np.array(theta, problem.network.dtype)
        self._ready: list[tuple[int, Rows]] = []
        limits = np.asarray(iterations)
        self._going: _Going | None = _Going(
            np.arange(runs), limits, self._count, problem, method, epochs, {}, self._answers
        )

    @property
    def standing(self) -> Standing:
        """Where all runs are, those that have ended and those that are going."""
        theta, iterations = self._answers.copy(), self._iterations.copy()
        shares, going = self._shares.copy(), self._going
        if going is not None:
            runs = going.runs
            theta[runs], iterations[runs], shares[runs] = going.theta, self._count, self._share
        return Standing(theta, iterations, EVALUATIONS_PER_GRADIENT * iterations, shares)

    def of(self, run: int) -> Standing:
        """Where one run is, as columns of length one."""
        going = self._going
        if going is not None and run in going.runs:
            at = int(np.searchsorted(going.runs, run))
            theta, iterations, share = going.theta[at : at + 1].copy(), self._count, self._share
        else:
            theta, iterations, share = self._answers[run][None], self._iterations[run], self._shares[run]
        iteration = np.array([iterations], np.int64)
        return Standing(theta, iteration, EVALUATIONS_PER_GRADIENT * iteration, np.array([share]))

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Train until rows are due, and give them by run; none as a sign of life, None at the end."""
        going = self._going
        self._ready = []  # the caller has them
        if going is None:
            return None
        self._since = perf_counter()
        try:
            # NumPy keeps this setting for the whole context, so it must not stay on while the caller works.
            with np.errstate(all="ignore"):
                self._train(going)
        finally:
            self._spend()
        return self.rows()

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that an interruption kept from being handed out, and maybe those handed out before it."""
        going = self._going
        if going is not None:
            ready, block = [*self._ready, *going.block.rows()], going.block.next()
            # Together, without a call between that a signal could come in at.
            self._ready, going.block = ready, block
        return [(run, rows) for run, rows in self._ready if len(rows.iteration)]

    def _train(self, going: _Going) -> None:
        """Steps, until rows are due or the heart beats."""
        wake = self._since + HEARTBEAT
        if self._most_seconds is not None:
            wake = min(wake, self._since + self._most_seconds - self.seconds)
        runs, loss, batches, block = len(going.runs), going.passed.loss, going.batches, going.block
        calls: Sequence[Call] = () if batches is not None else going.parts[None][1]
        while True:
            now, at = perf_counter(), self._count.item()
            late = now >= wake
            over = at >= going.stop or (late and self._out_of_time(now))
            look = over or at == self._mark
            if batches is not None:
                batch = batches.next()
                part, calls = going.parts[batch.shape[1]]
                part.fill(batch)
            run(going.full if look and batches is None else calls)
            if look:
                block.add(at, self._share + (now - self._since) / runs)
                marked = at == self._mark
                if marked:
                    self._mark = next(self._marks)
                if batches is not None:
                    sound = bool(going.sound().all())
                else:
                    sound = isfinite(loss.item() if runs == 1 else np.add.reduce(loss))
                late = late or block.due(self._mark)
                if over or not sound:
                    left = self._end(going, marked, self._out_of_time(now))
                    if left is None:
                        return
                    going, late = left, True
            run(going.update)
            if late:
                return

    def _end(self, going: _Going, marked: bool, out_of_time: bool) -> _Going | None:
        """What goes on without the runs that are over, or have diverged, at a step whose gradient is known.

        Where there is no mark, the last row is theirs alone.
        """
        over = (going.limits <= self._count) | out_of_time
        bad = ~going.sound() & (over | marked)
        over |= bad
        if not over.any():
            return going  # the sum of the losses was not finite, but each was
        self._spend()
        gone, keep = going.runs[over], np.flatnonzero(~over)
        left = going.select(keep) if len(keep) else None
        self.diverged[going.runs[bad]] = True
        self._answers[gone], self._iterations[gone] = going.theta[over], self._count
        self._shares[gone] = self._share
        ready = list(self._ready)
        for (number, columns), own in zip(going.block.rows(), over.tolist(), strict=True):
            last = len(columns.iteration) - (not marked and not own)
            ready.append((number, Rows(*(column[:last] for column in columns))))
        # Together, without a call between that a signal could come in at.
        self._ready, self._going = ready, left
        return left

    def _spend(self) -> None:
        now = perf_counter()
        self.seconds += now - self._since
        self._share += (now - self._since) / (len(self._going.runs) if self._going is not None else 1)
        self._since = now

    def _out_of_time(self, now: float) -> bool:
        return self._most_seconds is not None and self.seconds + now - self._since >= self._most_seconds
