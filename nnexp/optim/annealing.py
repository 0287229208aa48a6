"""Simulated annealing: worse candidates are accepted too, with falling probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.search_method import SearchMethod, State, keep_best
from nnexp.optim.speculation import Gap

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """The current point with its loss, and uniform numbers that were drawn and not used."""

    draws: Draws
    current: Array
    loss: float
    uniform: Array
    gap: Gap


@dataclass(frozen=True)
class Annealing(SearchMethod):
    """A random walk with steps ``scale * N(0, I)`` at a falling temperature (Kirkpatrick, Gelatt and Vecchi, 1983).

    Candidate k, from 0 on, is accepted if it is no worse, else with probability ``exp(-(loss' - loss) / T_k)``
    (Metropolis et al., 1953), where ``T_k = temperature * cooling^k`` in units of the loss. The answer is the best
    candidate so far, not the current point. An iteration is one candidate; there are no generations.

    A rejected candidate changes nothing, so a block of candidates is made from the current point. The first
    accepted one ends the block, and the random numbers behind it are used again: the walk is exactly that of one
    candidate at a time. The evaluations of later candidates are lost: evaluations depend on ``block``, no other
    number does.
    """

    scale: float = setting(
        0.01, "standard deviation of a step", Range(0, above=True, log=True, search=(0.001, 1)), per_run=True
    )
    temperature: float = setting(
        0.03,
        "first temperature, in units of the loss",
        Range(0, above=True, log=True, search=(0.0001, 1)),
        per_run=True,
    )
    cooling: float = setting(
        0.999, "factor of the temperature after each candidate", Range(0, 1, above=True), per_run=True
    )
    block: int = setting(
        1, "most candidates computed at once; more are faster and lose more evaluations", Range(1)
    )

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, _Memory(draws, theta, loss, np.empty(0), Gap()))

    def ask(self, state: State, limit: int) -> Array:
        memory: _Memory = state.memory
        rows = memory.draws.normals.peek(min(memory.gap.length(), self.block, limit))
        return memory.current + rows.dtype.type(self.scale) * rows

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        draws, current, value, uniform, gap = state.memory
        count = len(candidates)
        if len(uniform) < count:
            uniform = np.concatenate([uniform, draws.rng.random(count - len(uniform))])
        rise = np.where(np.isnan(loss), np.inf, loss) - value
        temperature = self.temperature * self.cooling ** (
            state.iteration + np.arange(count, dtype=np.float64)
        )
        taken = (rise <= 0) | (uniform[:count] < np.exp(-rise / temperature))
        at = int(taken.argmax())
        if taken[at]:
            count = at + 1
            current, value, gap = candidates[at].copy(), float(loss[at]), gap.accepted(count)
        else:
            gap = gap.rejected(count)
        draws.normals.advance(count)
        memory = _Memory(draws, current, value, uniform[count:], gap)
        return keep_best(state, candidates[:count], loss[:count], memory)
