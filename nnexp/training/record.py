"""The record of one run in memory: history, snapshots, best weights."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from nnexp.losses.measures import BATCH_LOSS, described, measures
from nnexp.training.columns import Columns
from nnexp.training.marks import log_spaced, mark_after
from nnexp.training.prepare import Prepared
from nnexp.training.rows import Progress, Rows, Step
from nnexp.training.stopping import Stopping

Array = np.ndarray[Any, Any]

PENDING_BYTES = 1 << 25
"""Largest size of the weights in rows that are not measured yet."""


class History(Columns):
    """Rows of a run as columns of equal length: counts int64, the rest float64.

    ``loss`` and ``accuracy`` are those of theta, the answer so far, on all training data; ``val_loss`` and
    ``val_accuracy`` on validation data, and ``test_loss`` and ``test_accuracy`` on test data. A dataset with
    test data but no validation data has them under ``val_`` alone. The run's metrics have such columns too.
    ``batch_loss``, with mini-batches only, is the mean loss of every eighth of them since the row before, each with the
    weights before its update. NaN means that a number is undefined (no such data, no classes, overflow).
    """

    iteration: Array
    evaluations: Array
    seconds: Array
    loss: Array
    accuracy: Array
    val_loss: Array
    val_accuracy: Array
    test_loss: Array
    test_accuracy: Array


COLUMNS = tuple(History.__annotations__)
"""The columns that every history has."""


class Snapshots(NamedTuple):
    """Weights over time: ``iteration (T,)``, ``theta (T, P)`` in the layout's memory order, ``loss (T,)``."""

    iteration: Array
    theta: Array
    loss: Array


def join(parts: list[History]) -> History:
    """Histories, concatenated."""
    if not parts:
        return History(
            (name, np.empty(0, np.int64 if i < 2 else np.float64)) for i, name in enumerate(COLUMNS)
        )
    return History.joined(parts)


def _finite(column: Array) -> Array:
    return np.where(np.isfinite(column), column, np.nan)


class Record:
    """The record of one run: rows measured at its marks, weights of some of them.

    Everything can be read during training, and after an interruption.

    Attributes:
        waiting: bytes of weights that are not measured yet.
        measuring_seconds: time spent on measuring rows so far, in addition to training.
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self._parts: list[History] = []
        self._given = 0  # parts
        self._pending: list[Rows] = []
        self.waiting = 0
        self.measuring_seconds = 0.0
        self._kept: list[tuple[int, Array, float]] = []
        self._best: tuple[float, Array] = (np.inf, prepared.theta)
        self._keep_from = 0
        self._best_value = np.inf
        self._last: tuple[int, Array, float] | None = None
        known = measures(described(prepared.settings.metrics))
        self._stopping = Stopping(prepared.settings.budget, prepared.problem.held_out is not None, known)
        # The best weights are those of early stopping's measure; else of the validation loss, or the
        # training loss, but never of the test data.
        best_by = "loss" if prepared.problem.validation is None else "val_loss"
        self._best_by = self._stopping.measure if self._stopping.wanted else best_by
        self._best_sign = -1.0 if known[self._best_by].higher else 1.0
        self._stop: Progress | None = None

    @property
    def stops_early(self) -> bool:
        """Whether the run may stop early, so that its rows must be measured at once."""
        return self._stopping.wanted

    @property
    def stop_reason(self) -> str:
        """Why the run stopped early: ``target`` or ``patience``; empty where it did not."""
        return self._stopping.reason

    def add(self, rows: Rows) -> None:
        """Add rows to be measured; rows that come a second time, after an interruption, are ignored."""
        if self._stop is not None or rows.iteration[-1] <= self.last_iteration:
            return
        self._pending.append(rows)
        self.waiting += rows.theta.nbytes

    def state(self) -> dict[str, Any]:
        """The whole record as plain values and arrays; waiting rows are measured first."""
        self.look()
        iterations, thetas, losses = (
            (list(column) for column in zip(*self._kept, strict=True)) if self._kept else ([], [], [])
        )
        loss, theta = self._best
        return {
            "history": dict(self.history),
            "kept": [iterations, np.stack(thetas) if thetas else [], losses],
            "keep_from": self._keep_from,
            "best": [loss, theta],
            "best_value": self._best_value,
            "last": None if self._last is None else list(self._last),
            "stopping": self._stopping.state(),
            "stop": None if self._stop is None else list(self._stop),
            "measuring_seconds": self.measuring_seconds,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that :meth:`state` gave; all rows will be delivered again."""
        self._parts = [History(state["history"])]
        self._kept = list(zip(*state["kept"], strict=True))
        self._keep_from = state["keep_from"]
        loss, theta = state["best"]
        self._best, self._best_value = (loss, theta), state["best_value"]
        self._last = None if state["last"] is None else tuple(state["last"])
        self._stopping.restore(state["stopping"])
        self._stop = None if state["stop"] is None else Progress(*state["stop"])
        self.measuring_seconds = state["measuring_seconds"]

    @property
    def history(self) -> History:
        """All rows measured so far."""
        return join(self._parts)

    @property
    def snapshots(self) -> Snapshots:
        """Weights at ``prepared.snapshots`` log-spaced marks, including the first and the last."""
        if not self._kept or self._last is None:
            size = self.prepared.problem.network.layout.size
            return Snapshots(np.empty(0, np.int64), np.empty((0, size)), np.empty(0))
        kept = list(self._kept)
        if kept[-1][0] != self._last[0]:
            kept.append(self._last)
        iterations = np.array([row[0] for row in kept])
        chosen = [kept[at] for at in log_spaced(iterations, self.prepared.snapshots).tolist()]
        iteration, theta, loss = zip(*chosen, strict=True)
        return Snapshots(np.array(iteration), np.stack(theta), np.array(loss))

    @property
    def best_theta(self) -> Array:
        """The best theta ``(P,)`` of all rows: by the budget's measure, the validation loss, or the training loss."""
        return self._best[1]

    @property
    def best_loss(self) -> float:
        """The training loss of the best theta, +inf before one was measured."""
        return self._best[0]

    @property
    def last_iteration(self) -> int:
        """The iteration of the last row, measured or not; -1 without rows."""
        if self._pending:
            return int(self._pending[-1].iteration[-1])
        return -1 if self._last is None else self._last[0]

    @property
    def overflowed(self) -> bool:
        """Whether the last measured row has no finite training loss, or none on held-out data."""
        if not self._parts:
            return False
        last = self._parts[-1]
        tested = self.prepared.problem.held_out is not None
        return bool(np.isnan(last.loss[-1]) or (tested and np.isnan(last.val_loss[-1])))

    def stopped(self, now: Progress) -> History:
        """Measure the added rows, and a last row for the present progress."""
        if now.iteration > self.last_iteration:
            self.add(
                Rows.of(
                    [Step(now.iteration, now.evaluations, now.seconds, np.nan, np.nan, np.nan, now.theta)]
                )
            )
        return self.measure()

    def measure(self) -> History:
        """Measure the added rows, and return those that were not returned before."""
        self.look()
        parts, self._given = self._parts[self._given :], len(self._parts)
        return join(parts)

    def look(self) -> None:
        """Measure the added rows, and end the run at the first one that meets its target or patience."""
        pending = self._pending
        if not pending:
            return
        rows = pending[0] if len(pending) == 1 else Rows(*map(np.concatenate, zip(*pending, strict=True)))
        problem, theta = self.prepared.problem, rows.theta
        # A full-batch gradient step has computed its loss and accuracy already.
        known = not np.isnan(rows.loss).any()
        own = known and (self.prepared.method.needs_gradient or not np.isnan(rows.accuracy).any())
        # A search's answer is the same in following rows until a better one is found.
        fresh = np.ones(len(theta), bool)
        if not self.prepared.method.needs_gradient:
            np.any(theta[1:] != theta[:-1], axis=1, out=fresh[1:])
        since = perf_counter()
        with np.errstate(all="ignore"):
            seen = problem.evaluate(theta[fresh], train=not own or bool(problem.metrics))
        self.measuring_seconds += perf_counter() - since
        seen = seen.each(lambda column: _finite(column[fresh.cumsum() - 1]))
        part = History(iteration=rows.iteration, evaluations=rows.evaluations, seconds=rows.seconds, **seen)
        for name, column in (("loss", rows.loss), ("accuracy", rows.accuracy)):
            part[name] = _finite(np.where(np.isnan(column), seen[name], column))
        if getattr(self.prepared.method, "batch_size", None) is not None:
            part[BATCH_LOSS] = _finite(rows.batch_loss)
        stop = self._stopping.first(part) if self._stopping.wanted else None
        if stop is not None:
            # Training has continued meanwhile; later iterations are not part of the run.
            part = part.each(lambda column: column[: stop + 1])
            rows = Rows(*(column[: stop + 1] for column in rows))
            last = rows.steps()[-1]
            self._stop = Progress(last.theta.copy(), last.iteration, last.evaluations, last.seconds)
        self._keep(rows.iteration, rows.theta, part.loss, part[self._best_by])
        # One assignment, so that a signal cannot arrive in between.
        parts = [*self._parts, part]
        self._parts, self._pending, self.waiting = parts, [], 0

    def _keep(self, iteration: Array, theta: Array, loss: Array, value: Array) -> None:
        """Keep copies of the weights that may be asked for: the best, the last, and those of the marks."""

        def row(at: int) -> tuple[int, Array, float]:
            return int(iteration[at]), theta[at].copy(), float(loss[at])

        self._last = row(len(loss) - 1)
        comparable = np.where(np.isnan(value), np.inf, self._best_sign * value)
        # The last of equal values, the end of a plateau.
        at = len(loss) - 1 - int(comparable[::-1].argmin())
        if comparable[at] <= self._best_value:
            self._best_value, self._best = float(comparable[at]), (float(loss[at]), theta[at].copy())
        while self._keep_from <= iteration[-1]:
            at = int(iteration.searchsorted(self._keep_from))
            kept, keep_from = [*self._kept, row(at)], mark_after(int(iteration[at]))
            self._kept, self._keep_from = kept, keep_from
