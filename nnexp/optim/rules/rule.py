"""Update rules: what becomes of a gradient before it is subtracted from theta, as calls that chain."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At

Array = np.ndarray[Any, Any]


class Bound(NamedTuple):
    """Calls that turn what is in one array into a step in another, ``step (R, P)``."""

    calls: list[Call]
    step: Array


class Rule(Protocol):
    """``rule(at, step)`` binds one update of R runs to the array ``step (R, P)`` that it takes.

    What it remembers it asks ``at.remembered`` for and writes in place. It must not write to ``step``.
    """

    def __call__(self, at: At, step: Array) -> Bound: ...


def chain(*rules: Rule) -> Rule:
    """Rules applied one after another, each to the step of the one before and with a memory of its own."""

    def bind(at: At, step: Array) -> Bound:
        calls: list[Call] = []
        for number, rule in enumerate(rules):
            bound = rule(at.within(str(number)), step)
            calls += bound.calls
            step = bound.step
        return Bound(calls, step)

    return bind
