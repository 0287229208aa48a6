"""Random search: independent draws, of which the best is kept (Rastrigin, 1963)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.search_method import SearchMethod, State, keep_best

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RandomSearch(SearchMethod):
    """Random search: each candidate is ``scale * N(0, I)``; theta is the best candidate so far.

    Candidates do not depend on each other, so a block of them is evaluated at once.
    """

    option: ClassVar[str] = "random"

    scale: float = setting(
        0.3,
        "standard deviation of the parameters",
        Range(0, above=True, log=True, search=(0.01, 10)),
        per_run=True,
    )
    block: int = setting(256, "candidates computed at once; no result depends on it", Range(1))

    def thetas(self, size: int, iterations: int) -> int:
        return min(self.block, iterations)

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, draws.normals)

    def ask(self, state: State, limit: int) -> Array:
        rows = state.memory.peek(min(self.block, limit))
        return rows.dtype.type(self.scale) * rows

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        state.memory.advance(len(candidates))
        return keep_best(state, candidates, loss, state.memory)
