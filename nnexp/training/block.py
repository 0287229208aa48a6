"""A block: rows of all active runs, collected until they are delivered."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.training.passes import Pass
from nnexp.training.rows import Rows

Array = np.ndarray[Any, Any]


class Answer:
    """The answers of R runs ``(R, P)``: trained parameters as the method answers, and the layers' other parameters."""

    def __init__(self, trained: Array, rest: Array) -> None:
        self._trained, self._rest, self._count = trained, rest, trained.shape[1]
        self.shape, self.dtype = (len(trained), trained.shape[1] + rest.shape[1]), trained.dtype

    def write(self, out: Array) -> None:
        """Copy them to ``out (R, P)``."""
        out[:, : self._count] = self._trained
        out[:, self._count :] = self._rest

    def of(self, runs: Any) -> Array:
        """A copy of one run's answer ``(P,)``, or of several runs' answers."""
        return np.concatenate([self._trained[runs], self._rest[runs]], axis=-1)


class Block:
    """Rows of the active runs, collected until they are delivered."""

    def __init__(
        self, runs: Array, of: Pass, answer: Answer, evaluations: int, measured: bool, most: int, span: int
    ) -> None:
        self._runs, self._of, self._answer, self._measured, self._most = runs, of, answer, measured, most
        self._evaluations, self._span = evaluations, span
        self._iterations: list[int] = []
        self._seconds: list[float] = []
        shape = (most, len(runs))
        self._theta = np.empty((most, *answer.shape), answer.dtype)
        self._loss, self._accuracy = np.full(shape, np.nan, answer.dtype), np.full(shape, np.nan)
        self._batch_loss = np.full(shape, np.nan)

    def next(self) -> Block:
        """A new empty block; the arrays of this one belong to the receiver of its rows."""
        return Block(
            self._runs, self._of, self._answer, self._evaluations, self._measured, self._most, self._span
        )

    def add(self, iteration: int, seconds: float, batch_loss: Array | None) -> None:
        """Add a row of the pass's present values."""
        at, of = len(self._iterations), self._of
        self._answer.write(self._theta[at])
        if self._measured:
            self._loss[at] = of.loss
            if of.accuracy is not None:
                self._accuracy[at] = of.accuracy
        if batch_loss is not None:
            self._batch_loss[at] = batch_loss
        self._seconds.append(seconds)
        self._iterations.append(iteration)

    def due(self, next_mark: int) -> bool:
        """Whether to deliver now rather than wait for the row of the next mark."""
        rows = self._iterations
        return len(rows) == self._most or next_mark - rows[0] >= self._span

    def rows(self) -> list[tuple[int, Rows]]:
        """The rows by run."""
        count = len(self._iterations)
        if not count:
            return []
        iteration, seconds = np.array(self._iterations, np.int64), np.array(self._seconds)
        evaluations = self._evaluations * iteration
        # A NaN loss becomes inf: NaN means a loss that was not computed.
        loss = np.fmin(self._loss, np.inf) if self._measured else self._loss
        columns = [
            column[:count].swapaxes(0, 1)
            for column in (loss.astype(np.float64), self._accuracy, self._batch_loss, self._theta)
        ]
        return [
            (run, Rows(iteration, evaluations, seconds, *own))
            for run, *own in zip(self._runs.tolist(), *columns, strict=True)
        ]
