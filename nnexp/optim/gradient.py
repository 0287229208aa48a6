"""Gradient methods: look where theta is, and follow an update rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.protocol import selected
from nnexp.optim.rules import chain, scale_by, trace

Array = np.ndarray[Any, Any]


class SGD:
    """Gradient descent, stochastic where ``batch_size`` is given: ``theta = theta - learning_rate * v``.

    ``v = momentum * v + gradient`` (Robbins and Monro, 1951; Polyak, 1964).

    Args:
        learning_rate: step size, a number or one a run ``(R,)``.
        momentum: share of the last step that is kept, a number or one a run ``(R,)``.
        batch_size: samples of a mini-batch, drawn without replacement within an epoch; None for all.
    """

    needs_gradient = True

    def __init__(
        self, learning_rate: float | Array, momentum: float | Array = 0.0, batch_size: int | None = None
    ) -> None:
        self.learning_rate, self.momentum, self.batch_size = learning_rate, momentum, batch_size

    def bind(self, theta: Array, gradient: Array, memory: dict[str, Array]) -> list[Callable[[], Any]]:
        """Calls that move ``theta (R, P)`` in place by one update, for ``gradient (R, P)`` at theta.

        ``memory`` is what the method remembers of its runs, arrays ``(R, ...)`` by name; empty at the start.
        """
        rule = scale_by(self.learning_rate)
        if np.any(self.momentum):
            # Without momentum there is nothing to remember, and two passes a step are left out.
            rule = chain(trace(self.momentum), rule)
        bound = rule(gradient, memory)
        return [*bound.calls, partial(np.subtract, theta, bound.step, theta)]

    def select(self, runs: Any) -> SGD:
        """The same method for some of the runs."""
        rate, momentum = (selected(value, runs) for value in (self.learning_rate, self.momentum))
        return SGD(rate, momentum, self.batch_size)
