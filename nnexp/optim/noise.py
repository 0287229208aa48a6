"""Streams of standard normal vectors that can be looked at before they are consumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Draw = Callable[[Array], Any]

REFILL = 256
"""Rows drawn at once, at the least."""


class Stream:
    """An endless sequence of vectors ``(P,)``; vector i belongs to candidate i.

    The sequence does not depend on how many vectors are looked at together, so a method that speculates sees
    what one that takes a vector at a time sees.

    Args:
        draw: writes the next vectors into an array ``(n, P)``.
        size: P.
        dtype: of the vectors.
    """

    def __init__(self, draw: Draw, size: int, dtype: Any) -> None:
        self._draw = draw
        self._rows = np.empty((0, size), dtype)
        self._at = 0

    def peek(self, count: int) -> Array:
        """The next ``count`` vectors ``(count, P)``, a view that must not be written to."""
        left = len(self._rows) - self._at
        if count > left:
            rows = np.empty((max(REFILL, 2 * count), self._rows.shape[1]), self._rows.dtype)
            rows[:left] = self._rows[self._at :]
            self._draw(rows[left:])
            self._rows, self._at = rows, 0
        return self._rows[self._at : self._at + count]

    def advance(self, count: int) -> None:
        """Consume ``count`` vectors."""
        self._at += count


class Noise:
    """One stream a run."""

    def __init__(self, draws: Sequence[Draw], size: int, dtype: Any) -> None:
        self._streams = [Stream(draw, size, dtype) for draw in draws]

    def __getitem__(self, run: int) -> Stream:
        return self._streams[run]


class GeneratorNoise(Noise):
    """Vectors from one ``numpy.random.Generator`` a run, drawn in the given dtype."""

    def __init__(self, generators: Sequence[np.random.Generator], size: int, dtype: Any) -> None:
        def rows(rng: np.random.Generator) -> Draw:
            return lambda out: rng.standard_normal(dtype=dtype, out=out)

        super().__init__([rows(rng) for rng in generators], size, dtype)


class LegacyNoise(Noise):
    """Vectors from ``numpy.random.RandomState.randn`` rounded to ``dtype``, reordered by ``order (P,)``.

    Element ``order[i]`` of theta is the i-th draw: layers' arrays in the order of their names.
    """

    def __init__(self, states: Sequence[np.random.RandomState], order: Array, dtype: Any) -> None:
        inverse = np.argsort(order)

        def rows(state: np.random.RandomState) -> Draw:
            return lambda out: np.copyto(out, state.randn(*out.shape).astype(np.float32)[:, inverse])

        super().__init__([rows(state) for state in states], len(order), dtype)
