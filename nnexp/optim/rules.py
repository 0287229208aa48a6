"""Update rules: pure functions from a gradient to a step, that chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Rule(NamedTuple):
    """``init(theta)`` makes a memory; ``update(gradient, memory)`` gives a step and the next memory."""

    init: Callable[[Array], Any]
    update: Callable[[Array, Any], tuple[Array, Any]]


def chain(*rules: Rule) -> Rule:
    """Rules applied one after another, each to the step of the one before."""

    def update(step: Array, memories: Any) -> tuple[Array, Any]:
        new = []
        for rule, memory in zip(rules, memories, strict=True):
            step, memory = rule.update(step, memory)
            new.append(memory)
        return step, tuple(new)

    return Rule(lambda theta: tuple(rule.init(theta) for rule in rules), update)


def _column(value: float | Array, dtype: Any) -> Array:
    return np.asarray(value, dtype)[..., None]


def scale_by(factor: float | Array) -> Rule:
    """``step = factor * g``, the factor a number or one a run ``(R,)``."""
    return Rule(lambda theta: _column(factor, theta.dtype), lambda step, f: (f * step, f))


def trace(momentum: float | Array) -> Rule:
    """``v = momentum * v + g``, ``step = v``, ``v_0 = 0`` (Polyak, 1964; Sutskever et al., 2013)."""

    def update(step: Array, memory: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        velocity = memory[0] * memory[1] + step
        return velocity, (memory[0], velocity)

    return Rule(lambda theta: (_column(momentum, theta.dtype), np.zeros_like(theta)), update)
