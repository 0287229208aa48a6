"""Random perturbation: hill climbing that keeps a step only if it improves (Rastrigin, 1963)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnexp.optim.noise import Noise
from nnexp.optim.protocol import Improvements, ScoreLike, State

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    noise: Noise | None
    block: Array  # (R,) candidates to ask next


class RandomPerturbation:
    """``theta' = theta + scale * N(0, I)``, taken if its loss is lower, else reverted.

    The noise does not depend on what is accepted, so a block of proposals is made from the present best,
    the first that improves is accepted, and the noise after it is used again from there: exactly the
    trajectory of one proposal at a time. A run's block is twice the last one while all are rejected, and
    as long as the last success took after a success, so few evaluations are spent in vain.

    Args:
        scale: standard deviation of a step, a number or one a run ``(R,)``.
        score_start: whether the start counts; if not, the first candidate is taken whatever its loss.
        block: the most candidates asked at once.
    """

    needs_gradient = False
    batch_size: int | None = None

    def __init__(self, scale: float | Array = 0.05, score_start: bool = True, block: int = 64) -> None:
        self.scale, self.score_start, self.block = scale, score_start, block

    def init(self, theta: Array, loss: Array, noise: Noise | None) -> State:
        zeros = np.zeros(len(theta), np.int64)
        return State(theta, loss, zeros, zeros, _Memory(noise, np.ones(len(theta), np.int64)), None)

    def ask(self, state: State, limit: Array) -> tuple[State, Array]:
        asked = np.minimum(state.memory.block, limit)
        scale = np.asarray(self.scale, state.theta.dtype)[..., None, None]
        steps = state.memory.noise.peek(int(asked.max()))
        np.multiply(scale, steps, out=steps)
        return state._replace(asked=asked), np.add(state.theta[:, None, :], steps, out=steps)

    def tell(self, state: State, candidates: Array, score: ScoreLike) -> State:
        assert score.loss is not None
        better = score.loss < state.loss[:, None]
        if len(better) > 1:
            better &= np.arange(candidates.shape[1]) < state.asked[:, None]
        if not better.any():
            # Nearly all blocks: nothing to keep but the count.
            state.memory.noise.advance(state.asked)
            longer = state.memory._replace(block=np.minimum(2 * state.memory.block, self.block))
            reached = state.iteration + state.asked
            return state._replace(iteration=reached, memory=longer, improvements=None)
        found = better.any(axis=1)
        at = better.argmax(axis=1)
        used = np.where(found, at + 1, state.asked)
        run = np.flatnonzero(found)
        iteration = state.iteration + used
        improved = Improvements(
            run, iteration[run], candidates[run, at[run]], score.loss[run, at[run]].astype(state.loss.dtype)
        )
        theta, loss = state.theta, state.loss
        if len(run):
            theta, loss = theta.copy(), loss.copy()
            theta[run], loss[run] = improved.theta, improved.loss
        state.memory.noise.advance(used)
        # A block that the budget cut short says nothing about the block's length.
        block = np.where(found, used, np.minimum(2 * state.memory.block, self.block))
        block = np.minimum(block, self.block)
        return State(theta, loss, iteration, state.asked, state.memory._replace(block=block), improved)
