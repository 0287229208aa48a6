"""Random perturbation: hill climbing that keeps a step only if it improves (Rastrigin, 1963)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.search_method import Found, SearchMethod, State

Array = np.ndarray[Any, Any]

FORGET = 0.8
"""What weight an acceptance, and the proposals that it took, keep at the next one."""

COST = 8
"""A block costs about as much as this many more candidates."""


class _Memory(NamedTuple):
    noise: Stream
    proposals: float
    acceptances: float


@dataclass(frozen=True)
class RandomPerturbation(SearchMethod):
    """Hill climbing: ``theta' = theta + scale * N(0, I)``, taken if its loss is lower, else reverted.

    The noise does not depend on what is accepted, so a block of proposals is made from the present best,
    the first that improves is accepted, and the noise after it is used again from there: exactly the
    trajectory of one proposal at a time.

    Where one proposal in g is accepted, blocks of ``sqrt(2 COST g)`` cost least: a longer one is evaluated in
    vain behind its acceptance, for a shorter one the cost of a block is paid too often. g is estimated from
    the last acceptances, and the length rounded down to a power of two.
    """

    option: ClassVar[str] = "perturb"

    scale: float = setting(
        0.05, "standard deviation of a step", Range(0, above=True, log=True, search=(0.001, 1)), per_run=True
    )
    block: int = setting(64, "most candidates computed at once; evaluations depend on it", Range(1))

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, _Memory(draws.normals, 0.0, 0.0))

    def ask(self, state: State, limit: int) -> Array:
        noise, proposals, acceptances = state.memory
        gap = (proposals + COST) / (acceptances + 1)
        length = 1 << (int(sqrt(2 * COST * gap)).bit_length() - 1)
        rows = noise.peek(min(length, self.block, limit))
        steps = np.multiply(rows.dtype.type(self.scale), rows)
        return np.add(state.theta, steps, steps)

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        noise, proposals, acceptances = state.memory
        better = loss < state.loss
        at = int(better.argmax())
        if not better[at]:
            count = len(candidates)
            noise.advance(count)
            memory = _Memory(noise, proposals + count, acceptances)
            return State(state.theta, state.loss, state.iteration + count, memory)
        noise.advance(at + 1)
        memory = _Memory(noise, FORGET * (proposals + at + 1), FORGET * (acceptances + 1))
        found = Found(state.iteration + at + 1, candidates[at].copy(), float(loss[at]))
        return State(found.theta, found.loss, found.iteration, memory, (found,))
