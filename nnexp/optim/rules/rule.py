"""The interface of update rules, which transform a gradient before it is subtracted from theta, and chains of them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At

Array = np.ndarray[Any, Any]


class Bound(NamedTuple):
    """Calls that compute a step, and the array ``step (R, P)`` that they write."""

    calls: list[Call]
    step: Array


class Rule(Protocol):
    """``rule(at, step)`` binds one update of R runs to its input ``step (R, P)``.

    Its state is in arrays of ``at.remembered``, which it writes in place. It must not write to ``step``.
    """

    def __call__(self, at: At, step: Array) -> Bound: ...


def chain(*rules: Rule) -> Rule:
    """Rules applied one after another, each to the step of the one before and with its own state."""

    def bind(at: At, step: Array) -> Bound:
        calls: list[Call] = []
        for number, rule in enumerate(rules):
            bound = rule(at.within(str(number)), step)
            calls += bound.calls
            step = bound.step
        return Bound(calls, step)

    return bind
