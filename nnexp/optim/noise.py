"""Streams of standard normal vectors that can be looked at before they are consumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

REFILL = 256
"""Rows drawn at once, at the least."""


class Stream:
    """An endless sequence of vectors ``(P,)``; vector i belongs to candidate i.

    The sequence does not depend on how many vectors are looked at together, so a method that speculates sees
    what one that takes a vector at a time sees.

    Args:
        draw: gives the next ``n`` vectors ``(n, P)``.
        size: P.
        dtype: of the vectors.
    """

    def __init__(self, draw: Callable[[int], Array], size: int, dtype: Any) -> None:
        self._draw = draw
        self._rows = np.empty((0, size), dtype)
        self._at = 0

    def peek(self, count: int) -> Array:
        """The next ``count`` vectors ``(count, P)``, a view that must not be written to."""
        left = len(self._rows) - self._at
        if count > left:
            rows = np.empty((max(REFILL, 2 * count), self._rows.shape[1]), self._rows.dtype)
            rows[:left] = self._rows[self._at :]
            rows[left:] = self._draw(len(rows) - left)
            self._rows, self._at = rows, 0
        return self._rows[self._at : self._at + count]

    def advance(self, count: int) -> None:
        """Consume ``count`` vectors."""
        self._at += count


class Noise:
    """One stream a run."""

    def __init__(self, draws: Sequence[Callable[[int], Array]], size: int, dtype: Any) -> None:
        self._streams = [Stream(draw, size, dtype) for draw in draws]

    def __getitem__(self, run: int) -> Stream:
        return self._streams[run]


class GeneratorNoise(Noise):
    """Vectors from one ``numpy.random.Generator`` a run, drawn in the given dtype."""

    def __init__(self, generators: Sequence[np.random.Generator], size: int, dtype: Any) -> None:
        def rows(rng: np.random.Generator) -> Callable[[int], Array]:
            return lambda n: rng.standard_normal((n, size), dtype=dtype)

        super().__init__([rows(rng) for rng in generators], size, dtype)


class LegacyNoise(Noise):
    """Vectors from ``numpy.random.RandomState.randn`` rounded to ``dtype``, reordered by ``order (P,)``.

    Element ``order[i]`` of theta is the i-th draw: layers' arrays in the order of their names.
    """

    def __init__(self, states: Sequence[np.random.RandomState], order: Array, dtype: Any) -> None:
        inverse = np.argsort(order)

        def rows(state: np.random.RandomState) -> Callable[[int], Array]:
            return lambda n: state.randn(n, len(order)).astype(np.float32)[:, inverse].astype(dtype)

        super().__init__([rows(state) for state in states], len(order), dtype)
