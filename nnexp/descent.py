"""Descent: gradient runs side by side, one batched computation a step."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.activations import Call
from nnexp.batches import Batches
from nnexp.marks import marks
from nnexp.network import Memory
from nnexp.optim import GradientMethod
from nnexp.problem import Pass, Problem
from nnexp.rows import EVALUATIONS_PER_GRADIENT, HEARTBEAT, SPAN, Rows, Standing

Array = np.ndarray[Any, Any]

SPAN_BYTES = 1 << 22
"""No more weights than this wait in rows to be handed out."""


class _Block:
    """Rows of the runs that are going, until they are handed out."""

    def __init__(self, runs: Array, of: Pass, measured: bool, most: int) -> None:
        self._runs, self._of, self._measured, self._most = runs.tolist(), of, measured, most
        self._clear()

    def _clear(self) -> None:
        """New arrays, for those handed out are the caller's."""
        self._iterations: list[int] = []
        self._seconds: list[float] = []
        theta, shape = self._of.theta, (self._most, len(self._runs))
        self._theta = np.empty((self._most, *theta.shape), theta.dtype)
        self._loss, self._accuracy = np.full(shape, np.nan, theta.dtype), np.full(shape, np.nan)

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

    def take(self) -> list[tuple[int, Rows]]:
        """The rows by run, which are then the caller's."""
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
        self._clear()
        return [
            (run, Rows(iteration, evaluations, seconds, *own))
            for run, *own in zip(self._runs, *columns, strict=True)
        ]


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
        self._batches = None if size is None else Batches(batches, problem.samples, size)
        self._marks = marks(log_every)
        self._mark = next(self._marks)
        self._most_seconds = most_seconds
        self.diverged = np.zeros(runs, bool)
        self.seconds = 0.0
        self._limits = np.asarray(iterations)
        self._going = np.arange(runs)
        self._at, self._share, self._since = 0, 0.0, perf_counter()
        # Where the runs that have ended stand.
        self._iterations, self._shares = np.zeros(runs, np.int64), np.zeros(runs)
        self._answers = np.array(theta, problem.network.dtype)
        self._ready: list[tuple[int, Rows]] = []
        self._bind(problem, method, {}, self._answers)

    @property
    def standing(self) -> Standing:
        """Where all runs are, those that have ended and those that are going."""
        theta, iterations = self._answers.copy(), self._iterations.copy()
        shares, going = self._shares.copy(), self._going
        if len(going):
            theta[going], iterations[going], shares[going] = self._pass.theta, self._at, self._share
        return Standing(theta, iterations, EVALUATIONS_PER_GRADIENT * iterations, shares)

    def of(self, run: int) -> Standing:
        """Where one run is, as columns of length one."""
        at = int(np.searchsorted(self._going, run))
        if at < len(self._going) and self._going[at] == run:
            theta, iterations, share = self._pass.theta[at : at + 1].copy(), self._at, self._share
        else:
            theta, iterations, share = self._answers[run][None], self._iterations[run], self._shares[run]
        iteration = np.array([iterations], np.int64)
        return Standing(theta, iteration, EVALUATIONS_PER_GRADIENT * iteration, np.array([share]))

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Train until rows are due, and give them by run; none as a sign of life, None at the end."""
        if not len(self._going):
            return None
        self._since = perf_counter()
        try:
            # NumPy keeps this setting for the whole context, so it must not stay on while the caller works.
            with np.errstate(all="ignore"):
                self._train()
        finally:
            self._spend()
        return self.rows()

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that were not handed out: none, unless training was interrupted."""
        ready, self._ready = [*self._ready, *self._block.take()], []
        return [(run, rows) for run, rows in ready if len(rows.iteration)]

    def _bind(self, problem: Problem, method: GradientMethod, memory: dict[str, Array], theta: Array) -> None:
        """Make buffers and calls for the runs that are going."""
        self._problem, self._method, self._memory = problem, method, memory
        runs, size, buffers = len(self._going), method.batch_size, Memory()
        lengths = [None] if size is None else sorted({size, problem.samples % size or size})
        passes = {length: problem.bind(runs, length, buffers) for length in lengths}
        self._pass = passes[size]
        self._parts = {
            length: (part, part.calls(loss=False, gradient=True)) for length, part in passes.items()
        }
        self._full = self._pass.calls(accuracy=self._pass.accuracy is not None, gradient=True)
        self._pass.theta[...] = theta
        assert self._pass.gradient is not None
        self._update = method.bind(self._pass.theta, self._pass.gradient, memory)
        self._stop = int(self._limits[self._going].min())
        rows = max(1, min(SPAN, SPAN_BYTES // self._pass.theta.nbytes))
        self._block = _Block(self._going, self._pass, size is None, rows)

    def _train(self) -> None:
        """Steps, until rows are due or the heart beats."""
        wake = self._since + HEARTBEAT
        if self._most_seconds is not None:
            wake = min(wake, self._since + self._most_seconds - self.seconds)
        runs, loss, batches, block = len(self._going), self._pass.loss, self._batches, self._block
        calls: Sequence[Call] = () if batches is not None else self._parts[None][1]
        while True:
            now = perf_counter()
            late = now >= wake
            over = self._at >= self._stop or (late and self._out_of_time(now))
            look = over or self._at == self._mark
            if batches is not None:
                batch = batches.next()
                part, calls = self._parts[batch.shape[1]]
                part.fill(batch)
            for call in self._full if look and batches is None else calls:
                call()
            if look:
                block.add(self._at, self._share + (now - self._since) / runs)
                marked = self._at == self._mark
                if marked:
                    self._mark = next(self._marks)
                if batches is not None:
                    sound = bool(np.isfinite(self._pass.theta).all())
                else:
                    sound = isfinite(loss.item() if runs == 1 else np.add.reduce(loss))
                late = late or block.due(self._mark)
                if over or not sound:
                    self._end(marked, self._out_of_time(now))
                    late = True
                    if not len(self._going):
                        return
            for call in self._update:
                call()
            self._at += 1
            if late:
                return

    def _end(self, marked: bool, out_of_time: bool) -> None:
        """Take out the runs that are over, or have diverged, at a step whose gradient is known.

        Where there is no mark, the last row is theirs alone.
        """
        going, theta, gradient = self._going, self._pass.theta, self._pass.gradient
        assert gradient is not None
        over = (self._limits[going] <= self._at) | out_of_time
        bad = ~(np.isfinite(self._pass.loss) if self._batches is None else np.isfinite(theta).all(axis=1))
        bad &= over | marked
        self.diverged[going[bad]] = True
        over |= bad
        if not over.any():
            return  # the sum of the losses was not finite, but each was
        self._spend()
        for (run, rows), own in zip(self._block.take(), over.tolist(), strict=True):
            last = len(rows.iteration) - (not marked and not own)
            self._ready.append((run, Rows(*(column[:last] for column in rows))))
        gone, keep = going[over], np.flatnonzero(~over)
        self._answers[gone], self._iterations[gone], self._shares[gone] = theta[over], self._at, self._share
        self._going = going[keep]
        if not len(keep):
            return
        if self._batches is not None:
            self._batches = self._batches.select(keep)
        memory = {name: array[keep] for name, array in self._memory.items()}
        self._bind(self._problem.select(keep), self._method.select(keep), memory, theta[keep])
        assert self._pass.gradient is not None
        self._pass.gradient[...] = gradient[keep]

    def _spend(self) -> None:
        now = perf_counter()
        self.seconds += now - self._since
        self._share += (now - self._since) / max(1, len(self._going))
        self._since = now

    def _out_of_time(self, now: float) -> bool:
        return self._most_seconds is not None and self.seconds + now - self._since >= self._most_seconds
