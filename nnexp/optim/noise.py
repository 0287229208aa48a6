"""Streams of standard normal vectors, one a run, that can be looked at before they are consumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Noise:
    """R endless sequences of vectors ``(P,)``; row i of a run's sequence belongs to its candidate i.

    The sequence does not depend on how many rows are looked at together, so a method that speculates
    sees what one that takes a row at a time sees.

    Args:
        draws: one function a run, giving the next ``n`` rows ``(n, P)``.
        size: P.
        dtype: of the rows.
    """

    def __init__(self, draws: Sequence[Callable[[int], Array]], size: int, dtype: Any) -> None:
        self._draws = list(draws)
        self._rows = np.empty((len(self._draws), 0, size), dtype)
        self._at = np.zeros(len(self._draws), np.int64)

    def peek(self, count: int) -> Array:
        """The next ``count`` rows of each run ``(R, count, P)``, a copy."""
        capacity = self._rows.shape[1]
        if int(self._at.max()) + count > capacity:
            self._refill(count)
        if len(self._at) == 1:
            start = int(self._at[0])
            return self._rows[:, start : start + count].copy()
        rows = self._at[:, None] + np.arange(count)
        return self._rows[np.arange(len(self._at))[:, None], rows]

    def advance(self, counts: Array) -> None:
        """Consume ``counts (R,)`` rows."""
        self._at = self._at + counts

    def _refill(self, count: int) -> None:
        capacity = max(256, 2 * count)
        runs, _, size = self._rows.shape
        rows = np.empty((runs, capacity, size), self._rows.dtype)
        for run, draw in enumerate(self._draws):
            kept = self._rows[run, self._at[run] :]
            rows[run, : len(kept)] = kept
            rows[run, len(kept) :] = draw(capacity - len(kept))
        self._rows, self._at = rows, np.zeros(runs, np.int64)


class GeneratorNoise(Noise):
    """Rows from one ``numpy.random.Generator`` a run, drawn in the given dtype."""

    def __init__(self, generators: Sequence[np.random.Generator], size: int, dtype: Any) -> None:
        def rows(rng: np.random.Generator) -> Callable[[int], Array]:
            return lambda n: rng.standard_normal((n, size), dtype=dtype)

        super().__init__([rows(rng) for rng in generators], size, dtype)


class LegacyNoise(Noise):
    """Rows from ``numpy.random.RandomState.randn`` rounded to ``dtype``, reordered by ``order (P,)``.

    Row element ``order[i]`` of theta is the i-th draw: layers' arrays in the order of their names.
    """

    def __init__(self, states: Sequence[np.random.RandomState], order: Array, dtype: Any) -> None:
        inverse = np.argsort(order)

        def rows(state: np.random.RandomState) -> Callable[[int], Array]:
            return lambda n: state.randn(n, len(order)).astype(np.float32)[:, inverse].astype(dtype)

        super().__init__([rows(state) for state in states], len(order), dtype)
