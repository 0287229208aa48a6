"""Coordinate search: one parameter after another, each with its own step (Rosenbrock, 1960)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.search_method import SearchMethod, State, keep_best

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """The signed step of each parameter ``(P,)``, and the index of the next parameter."""

    steps: Array
    turn: int


@dataclass(frozen=True)
class CoordinateSearch(SearchMethod):
    """Parameters take turns: ``theta_j + d_j`` is accepted if its loss is lower (Rosenbrock, 1960, on fixed axes).

    At first ``d_j = scale``; after a success ``d_j = grow * d_j``, after a failure ``d_j = -shrink * d_j``. Nothing is
    random. The answer is theta, the best candidate so far. An iteration is one candidate, and so is an evaluation;
    there are no generations.
    """

    option: ClassVar[str] = "coordinate"

    scale: float = setting(
        1.0,
        "initial step of each parameter",
        Range(0, above=True, log=True, search=(0.001, 10)),
        per_run=True,
    )
    grow: float = setting(3.0, "factor of a step after a success", Range(1), per_run=True)
    shrink: float = setting(
        0.5,
        "factor of a step after a failure, which also reverses its sign",
        Range(0, 1, above=True),
        per_run=True,
    )

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, _Memory(np.full_like(theta, self.scale), 0))

    def ask(self, state: State, limit: int) -> Array:
        steps, turn = state.memory
        candidate = state.theta[None].copy()
        candidate[0, turn] += steps[turn]
        return candidate

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        steps, turn = state.memory
        steps = steps.copy()
        steps[turn] *= self.grow if loss[0] < state.loss else -self.shrink
        return keep_best(state, candidates, loss, _Memory(steps, (turn + 1) % steps.size))
