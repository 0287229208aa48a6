"""A run's chance for methods: normal vectors that can be looked at before they are consumed, and a generator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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


class Draws:
    """One run's chance for a gradient-free method: normal vectors that can be looked at, and a generator for the rest.

    Attributes:
        normals: the stream of normal vectors ``(P,)``.
        rng: for uniform numbers and integers; it never moves the stream of normal vectors.
    """

    def __init__(self, normals: Stream, rng: np.random.Generator) -> None:
        self.normals, self.rng = normals, rng


def draws_from(rng: np.random.Generator, size: int, dtype: Any) -> Draws:
    """Chance from one generator: normal vectors ``(size,)`` of ``dtype``, and a child of it for the rest."""
    (child,) = rng.bit_generator.seed_seq.spawn(1)  # type: ignore[attr-defined]
    return Draws(Stream(partial(_normal, rng), size, dtype), np.random.default_rng(child))


def _normal(rng: np.random.Generator, out: Array) -> None:
    rng.standard_normal(dtype=out.dtype.type, out=out)
