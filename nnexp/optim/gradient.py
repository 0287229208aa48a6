"""Gradient methods: look where theta is, and follow an update rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.optim.noise import Noise
from nnexp.optim.protocol import ScoreLike, State
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
    score_start = False

    def __init__(
        self, learning_rate: float | Array, momentum: float | Array = 0.0, batch_size: int | None = None
    ) -> None:
        self.batch_size = batch_size
        # A momentum of zero needs no memory, and leaves out two passes a step. It is the same arithmetic:
        # 0 * v + g = g for every finite v.
        rules = ([trace(momentum)] if np.any(momentum) else []) + [scale_by(learning_rate)]
        self.rule = rules[0] if len(rules) == 1 else chain(*rules)

    def init(self, theta: Array, loss: Array, noise: Noise | None) -> State:
        zeros = np.zeros(len(theta), np.int64)
        return State(theta, loss, zeros, np.ones_like(zeros), self.rule.init(theta), None)

    def ask(self, state: State, limit: Array) -> tuple[State, Array]:
        return state, state.theta[:, None, :]

    def tell(self, state: State, candidates: Array, score: ScoreLike) -> State:
        assert score.gradient is not None
        step, memory = self.rule.update(score.gradient[:, 0, :], state.memory)
        return State(state.theta - step, state.loss, state.iteration + 1, state.asked, memory, None)
