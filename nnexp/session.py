"""A session: one run, from its config to its history, snapshots and result."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.prepare import Prepared, prepare
from nnexp.record import PENDING_BYTES, History, Record, Snapshots, join
from nnexp.train import Training

Array = np.ndarray[Any, Any]

__all__ = ["History", "Prepared", "Session", "Snapshots", "join", "prepare"]


class Session(Record):
    """One run of a prepared config: training, measured at its marks."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__(prepared)
        self.training = Training(
            prepared.problem,
            prepared.method,
            prepared.theta[None],
            noise=prepared.noise,
            batches=[prepared.batches],
            budget=prepared.budget,
            log_every=prepared.config.tracking.log_every,
        )

    def run(self, flush_seconds: float = 2.0) -> Iterator[History]:
        """Train to the end, yielding the rows that became known every ``flush_seconds``; maybe none."""
        flushed = perf_counter()
        for block in self.training.blocks():
            for _, rows in block:
                self.add(rows)
            if self.waiting > PENDING_BYTES or perf_counter() - flushed >= flush_seconds:
                yield self.measure()
                flushed = perf_counter()
        yield self.measure()

    def stop(self) -> History:
        """Rows not yielded yet, with one for where training stands; for use after an interruption."""
        for _, rows in self.training.left():
            self.add(rows)
        return self.stopped(self.training.state)

    @property
    def final_theta(self) -> Array:
        """The answer ``(P,)`` where training stands."""
        return self.training.state.theta[0]

    @property
    def improvements(self) -> list[tuple[int, float]]:
        """A gradient-free run's improvements: candidate, counted from 0, and its loss."""
        return [(step.candidate, step.loss) for step in self.training.improvements]

    @property
    def diverged(self) -> bool:
        """Whether training ended early, because a loss or a weight was not finite."""
        return bool(self.training.diverged.any())

    @property
    def status(self) -> str:
        """``diverged`` if training did, or if the answer so far has no finite loss, else ``finished``."""
        return "diverged" if self.diverged or self.overflowed else "finished"

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return int(self.training.state.iteration[0])

    @property
    def evaluations(self) -> int:
        """Evaluations spent."""
        return int(self.training.state.evaluations[0])

    @property
    def seconds(self) -> float:
        """Seconds of training: measuring, logging and waiting for the caller are left out."""
        return self.training.seconds
