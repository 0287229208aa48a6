"""A run's random numbers for methods: normal vectors that can be read before they are consumed, and a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Draw = Callable[[Array], Any]
Source = np.random.Generator | np.random.RandomState

REFILL = 256
"""Least number of rows drawn at once."""


class Stream:
    """An endless sequence of vectors ``(P,)``; vector i belongs to candidate i.

    The sequence does not depend on how many vectors are read together: a method that speculates sees the same vectors
    as one that reads them one by one.

    Args:
        draw: writes the next vectors into an array ``(n, P)``.
        size: P.
        dtype: of the vectors.
        source: the generator behind ``draw``.
    """

    def __init__(self, draw: Draw, size: int, dtype: Any, source: Source) -> None:
        self._draw, self._source = draw, source
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

    def state(self) -> dict[str, Any]:
        """The present state as plain values and arrays, for :meth:`restore`."""
        return {"rows": self._rows[self._at :].copy(), "source": source_state(self._source)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that :meth:`state` gave."""
        set_source(self._source, state["source"])
        self._rows, self._at = state["rows"], 0


class Draws:
    """One run's random numbers for a gradient-free method.

    Attributes:
        normals: the stream of normal vectors ``(P,)``.
        rng: for uniform numbers and integers; it does not advance the stream of normal vectors.
    """

    def __init__(self, normals: Stream, rng: np.random.Generator) -> None:
        self.normals, self.rng = normals, rng

    def state(self) -> dict[str, Any]:
        """The present state as plain values and arrays, for :meth:`restore`."""
        return {"normals": self.normals.state(), "rng": source_state(self.rng)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Return to a state that :meth:`state` gave."""
        self.normals.restore(state["normals"])
        set_source(self.rng, state["rng"])


def source_state(source: Source) -> dict[str, Any]:
    """The state of a generator of numbers, as plain values and arrays."""
    if isinstance(source, np.random.RandomState):
        return dict(source.get_state(legacy=False))
    return dict(source.bit_generator.state)


def set_source(source: Source, state: Mapping[str, Any]) -> None:
    """Set the state of a generator of the same kind."""
    if isinstance(source, np.random.RandomState):
        source.set_state(dict(state))
    else:
        source.bit_generator.state = dict(state)


def draws_from(rng: np.random.Generator, size: int, dtype: Any) -> Draws:
    """Normal vectors ``(size,)`` of ``dtype`` from a generator, and a child of it for all other random numbers."""
    (child,) = rng.bit_generator.seed_seq.spawn(1)  # type: ignore[attr-defined]
    return Draws(Stream(partial(_normal, rng), size, dtype, rng), np.random.default_rng(child))


def _normal(rng: np.random.Generator, out: Array) -> None:
    rng.standard_normal(dtype=out.dtype.type, out=out)
