"""Mini-batches: which samples each update sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Batches:
    """Sample numbers of R runs' mini-batches, without replacement within an epoch.

    Each epoch is a new permutation of the N samples, cut into pieces of ``size``; the last piece of an
    epoch is shorter where ``size`` does not divide N.

    Args:
        generators: one a run.
        samples: N.
        size: of a mini-batch, at most N.

    Raises:
        ValueError: ``size`` outside 1 .. N.
    """

    def __init__(self, generators: Sequence[np.random.Generator], samples: int, size: int) -> None:
        if not 1 <= size <= samples:
            raise ValueError(f"optimizer.batch_size={size}: expected 1 to {samples}, the training samples")
        self._generators = list(generators)
        self._samples, self._size = samples, size
        self._order = np.empty((len(self._generators), 0), np.int64)
        self._at = 0

    def next(self) -> Array:
        """The next batch's sample numbers ``(R, B)``."""
        if self._at >= self._order.shape[1]:
            self._order = np.stack([rng.permutation(self._samples) for rng in self._generators])
            self._at = 0
        batch = self._order[:, self._at : self._at + self._size]
        self._at += self._size
        return batch

    def state(self, run: int) -> dict[str, Any]:
        """Where a run is in its epoch; its generator is kept elsewhere."""
        return {"order": self._order[run].copy(), "at": self._at}

    def restore(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Restore the runs' positions in their epochs; all are at the same position."""
        self._order, self._at = np.stack([one["order"] for one in states]), states[0]["at"]

    def select(self, runs: Array) -> Batches:
        """The batches of some of the runs, from where they are."""
        part = Batches([self._generators[run] for run in runs], self._samples, self._size)
        part._order, part._at = self._order[runs], self._at
        return part
