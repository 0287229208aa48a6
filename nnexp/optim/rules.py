"""Update rules: what becomes of a gradient before it is subtracted from theta, as calls that chain."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]


class Bound(NamedTuple):
    """Calls that turn what is in one array into a step in another, ``step (R, P)``."""

    calls: list[Call]
    step: Array


class Rule(Protocol):
    """``rule(gradient, memory)`` binds one update of R runs to the array that their gradient comes in.

    What it remembers it keeps in ``memory``, arrays ``(R, ...)`` by name, written in place: whoever binds the
    rule again for some of the runs hands over their rows.
    """

    def __call__(self, gradient: Array, memory: dict[str, Array]) -> Bound: ...


def chain(*rules: Rule) -> Rule:
    """Rules applied one after another, each to the step of the one before."""

    def bind(gradient: Array, memory: dict[str, Array]) -> Bound:
        calls: list[Call] = []
        step = gradient
        for rule in rules:
            bound = rule(step, memory)
            calls += bound.calls
            step = bound.step
        return Bound(calls, step)

    return bind


def _full(value: float | Array, like: Array) -> Array:
    """A number, or one a run ``(R,)``, for each element of ``like (R, P)``: operands of one shape are quickest."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(value, like.dtype)[..., None], like.shape))


def scale_by(factor: float | Array) -> Rule:
    """``step = factor * g``, the factor a number or one a run ``(R,)``."""

    def bind(gradient: Array, memory: dict[str, Array]) -> Bound:
        step, rate = np.empty_like(gradient), _full(factor, gradient)
        return Bound([partial(np.multiply, rate, gradient, step)], step)

    return bind


def trace(momentum: float | Array) -> Rule:
    """``v = momentum * v + g``, ``step = v``, ``v_0 = 0`` (Polyak, 1964; Sutskever et al., 2013)."""

    def bind(gradient: Array, memory: dict[str, Array]) -> Bound:
        velocity = memory.setdefault("velocity", np.zeros_like(gradient))
        share = _full(momentum, gradient)
        calls: list[Call] = [
            partial(np.multiply, share, velocity, velocity),
            partial(np.add, velocity, gradient, velocity),
        ]
        return Bound(calls, velocity)

    return bind
