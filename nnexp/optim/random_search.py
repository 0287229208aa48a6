"""Random search: fresh draws, the best kept (Rastrigin, 1963)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.optim.noise import Stream
from nnexp.optim.protocol import Found, State, selected

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

    def select(self, runs: Any) -> RandomSearch:
        return RandomSearch(selected(self.scale, runs), self.score_start, self.block)

    def init(self, theta: Array, loss: float, noise: Stream) -> State:
        return State(theta, loss, 0, noise)

    def ask(self, state: State, limit: int) -> Array:
        rows = state.memory.peek(min(self.block, limit))
        return rows.dtype.type(self.scale) * rows

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        best = np.minimum.accumulate(np.concatenate([[state.loss], loss]))
        better = np.flatnonzero(loss < best[:-1])
        # Copies, so that a row of the best does not keep its whole block.
        found = [
            Found(state.iteration + at + 1, candidates[at].copy(), float(loss[at])) for at in better.tolist()
        ]
        state.memory.advance(len(candidates))
        theta, value = (found[-1].theta, found[-1].loss) if found else (state.theta, state.loss)
        return State(theta, value, state.iteration + len(candidates), state.memory, found)
