"""Random search: fresh draws, the best kept (Rastrigin, 1963)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.optim.noise import Noise
from nnexp.optim.protocol import Improvements, ScoreLike, State

Array = np.ndarray[Any, Any]


class RandomSearch:
    """Each candidate is ``scale * N(0, I)``; theta is the best candidate so far.

    Candidates do not depend on one another, so a block of them is scored at once.

    Args:
        scale: standard deviation of the parameters, a number or one a run ``(R,)``.
        score_start: whether the start counts; if not, the first candidate is taken whatever its loss.
        block: candidates asked at once.
    """

    needs_gradient = False
    batch_size: int | None = None

    def __init__(self, scale: float | Array = 0.05, score_start: bool = True, block: int = 256) -> None:
        self.scale, self.score_start, self.block = scale, score_start, block

    def init(self, theta: Array, loss: Array, noise: Noise | None) -> State:
        zeros = np.zeros(len(theta), np.int64)
        return State(theta, loss, zeros, zeros, noise, None)

    def ask(self, state: State, limit: Array) -> tuple[State, Array]:
        asked = np.minimum(self.block, limit)
        scale = np.asarray(self.scale, state.theta.dtype)[..., None, None]
        return state._replace(asked=asked), scale * state.memory.peek(int(asked.max()))

    def tell(self, state: State, candidates: Array, score: ScoreLike) -> State:
        assert score.loss is not None
        counts = np.arange(candidates.shape[1]) < state.asked[:, None]
        losses = np.where(counts, score.loss, np.inf)
        bests = np.minimum.accumulate(np.concatenate([state.loss[:, None], losses], axis=1), axis=1)
        run, at = np.nonzero(losses < bests[:, :-1])
        improved = Improvements(run, state.iteration[run] + at + 1, candidates[run, at], losses[run, at])
        theta = state.theta.copy()
        theta[run] = improved.theta  # in order, so that a run's last improvement stays
        state.memory.advance(state.asked)
        return state._replace(
            theta=theta, loss=bests[:, -1], iteration=state.iteration + state.asked, improvements=improved
        )
