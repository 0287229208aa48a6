"""A session: one run, from its config to its history, snapshots and result."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from nnexp.marks import log_spaced, marks
from nnexp.prepare import Prepared, prepare
from nnexp.train import Step, Training

Array = np.ndarray[Any, Any]

__all__ = ["History", "Prepared", "Session", "Snapshots", "join", "prepare"]


class History(NamedTuple):
    """Rows of a run as columns of equal length: counts int64, the rest float64.

    ``loss`` and ``accuracy`` are those of theta, the answer so far, on all training data; ``val_loss`` and
    ``val_accuracy`` on test data. NaN is a number that there is not (no test data, no classes, overflow).
    """

    iteration: Array
    evaluations: Array
    seconds: Array
    loss: Array
    accuracy: Array
    val_loss: Array
    val_accuracy: Array


class Snapshots(NamedTuple):
    """Weights over time: ``iteration (T,)``, ``theta (T, P)`` in memory's order, ``loss (T,)``."""

    iteration: Array
    theta: Array
    loss: Array


def join(parts: list[History]) -> History:
    """Histories one after another."""
    if not parts:
        return History(*(np.empty(0, np.int64 if i < 2 else np.float64) for i in range(len(History._fields))))
    return History(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _finite(column: Array) -> Array:
    return np.where(np.isfinite(column), column, np.nan)


class Session:
    """One run of a prepared config: training, measured at its marks.

    Everything that it holds can be read while it runs, and after an interruption.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        config = prepared.config
        self.training = Training(
            prepared.problem,
            prepared.method,
            prepared.theta[None],
            noise=prepared.noise,
            batches=[prepared.batches],
            budget=prepared.budget,
            log_every=config.tracking.log_every,
        )
        self._parts: list[History] = []
        self._pending: list[Step] = []
        self._kept: list[tuple[int, Array, float]] = []
        self._best: tuple[float, Array] = (np.inf, self.training.state.theta[0])
        self._grid = marks()
        self._keep_from = next(self._grid)
        self._last: Step | None = None

    def run(self, flush_seconds: float = 2.0) -> Iterator[History]:
        """Train to the end, yielding the rows that became known every ``flush_seconds``; maybe none."""
        flushed = perf_counter()
        for rows in self.training.steps():
            self._pending += rows
            if perf_counter() - flushed >= flush_seconds:
                yield self._measure()
                flushed = perf_counter()
        yield self._measure()

    def stop(self) -> History:
        """Rows not yielded yet, with one for where training stands; for use after an interruption."""
        now = self.training.now()[0]
        steps = [*self._pending, *([self._last] if self._last else [])]
        if all(step.iteration < now.iteration for step in steps):
            self._pending.append(now)
        return self._measure()

    @property
    def history(self) -> History:
        """All rows measured so far."""
        return join(self._parts)

    @property
    def snapshots(self) -> Snapshots:
        """``tracking.snapshots`` of the marks' weights, log-spaced, the first and the last always."""
        if not self._kept:
            size = self.prepared.problem.network.layout.size
            return Snapshots(np.empty(0, np.int64), np.empty((0, size)), np.empty(0))
        kept = list(self._kept)
        last = self._last
        if last is not None and kept[-1][0] != last.iteration:
            kept.append((last.iteration, last.theta, float(self._parts[-1].loss[-1])))
        iterations = np.array([row[0] for row in kept])
        chosen = [kept[at] for at in log_spaced(iterations, self.prepared.config.tracking.snapshots).tolist()]
        iteration, theta, loss = zip(*chosen, strict=True)
        return Snapshots(np.array(iteration), np.stack(theta), np.array(loss))

    @property
    def final_theta(self) -> Array:
        """The answer ``(P,)`` where training stands."""
        return self.training.state.theta[0]

    @property
    def best_theta(self) -> Array:
        """The theta ``(P,)`` with the lowest loss among the rows."""
        return self._best[1]

    @property
    def best_loss(self) -> float:
        """The lowest loss among the rows, +inf before one was measured."""
        return self._best[0]

    @property
    def improvements(self) -> list[tuple[int, float]]:
        """A gradient-free run's improvements: candidate, counted from 0, and its loss."""
        return [(step.candidate, step.loss) for step in self.training.improvements]

    @property
    def status(self) -> str:
        """``diverged`` once a loss or a weight is not finite, else ``finished``."""
        return "diverged" if self.training.diverged.any() else "finished"

    @property
    def ended(self) -> bool:
        """Whether training reached its end."""
        return bool(self.training.ended.all())

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return int(self.training.state.iteration[0])

    @property
    def evaluations(self) -> int:
        """Evaluations spent."""
        return self.training.now()[0].evaluations

    @property
    def seconds(self) -> float:
        """Seconds of training: measuring, logging and waiting for the caller are left out."""
        return self.training.seconds

    def _measure(self) -> History:
        steps, self._pending = self._pending, []
        if not steps:
            return join([])
        thetas = np.stack([step.theta for step in steps])
        loss = np.array([step.loss for step in steps])
        accuracy = np.array([step.accuracy for step in steps])
        # A full-batch gradient step knows its own loss and accuracy, or that there is none.
        known = not np.isnan(loss).any()
        own = known and (self.prepared.method.needs_gradient or not np.isnan(accuracy).any())
        with np.errstate(all="ignore"):
            seen = self.prepared.problem.evaluate(thetas, train=not own)
        loss = np.where(np.isnan(loss), seen.loss, loss)
        accuracy = np.where(np.isnan(accuracy), seen.accuracy, accuracy)
        part = History(
            np.array([step.iteration for step in steps], np.int64),
            np.array([step.evaluations for step in steps], np.int64),
            np.array([step.seconds for step in steps]),
            _finite(loss),
            _finite(accuracy),
            _finite(seen.val_loss),
            seen.val_accuracy,
        )
        self._parts.append(part)
        self._last = steps[-1]
        for step, value in zip(steps, part.loss.tolist(), strict=True):
            if value <= self._best[0]:
                self._best = (value, step.theta)
            if step.iteration >= self._keep_from:
                self._kept.append((step.iteration, step.theta, value))
                while self._keep_from <= step.iteration:
                    self._keep_from = next(self._grid)
        return part
