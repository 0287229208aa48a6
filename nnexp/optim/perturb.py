"""Random perturbation: hill climbing that keeps a step only if it improves (Rastrigin, 1963)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws, Stream
from nnexp.optim.search_method import Found, SearchMethod, State
from nnexp.optim.speculation import Gap

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    noise: Stream
    gap: Gap
    acceptances: int


@dataclass(frozen=True)
class RandomPerturbation(SearchMethod):
    """Hill climbing: ``theta' = theta + scale * N(0, I)`` is accepted if its loss is lower, else rejected.

    With ``one_fifth`` it is the (1+1)-ES with Rechenberg's 1/5th success rule (1973; Hansen, Arnold and Auger, 2015,
    algorithm 2): after a success ``scale = scale * exp(0.8 / d)``, after a failure ``scale * exp(-0.2 / d)``, with
    ``d = sqrt(P + 1)``, so that the scale is constant where one step in five succeeds.

    The noise does not depend on what is accepted, so a block of proposals is made from the present best,
    the first that improves is accepted, and the noise behind it is used again from there: exactly the
    trajectory of one proposal at a time. The length of a block follows from the latest acceptances, see
    :class:`nnexp.optim.speculation.Gap`.
    """

    option: ClassVar[str] = "perturb"

    scale: float = setting(
        0.02, "standard deviation of a step", Range(0, above=True, log=True, search=(0.001, 1)), per_run=True
    )
    one_fifth: bool = setting(False, "adapt the scale so that one step in five succeeds")
    block: int = setting(64, "most candidates computed at once; evaluations depend on it", Range(1))

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, _Memory(draws.normals, Gap(), 0))

    def ask(self, state: State, limit: int) -> Array:
        noise, gap, acceptances = state.memory
        rows = noise.peek(min(gap.length(), self.block, limit))
        scale: Any = rows.dtype.type(self.scale)
        if self.one_fifth:
            # Computed from counts alone, so that it does not depend on blocks: earlier proposals of a block have
            # failed.
            before = state.iteration + np.arange(len(rows))[:, None]
            factor = np.exp((acceptances - before / 5) / sqrt(rows.shape[1] + 1))
            scale = (self.scale * factor).astype(rows.dtype)
        steps = np.multiply(scale, rows)
        return np.add(state.theta, steps, steps)

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        noise, gap, acceptances = state.memory
        better = loss < state.loss
        at = int(better.argmax())
        if not better[at]:
            count = len(candidates)
            noise.advance(count)
            memory = _Memory(noise, gap.rejected(count), acceptances)
            return State(state.theta, state.loss, state.iteration + count, memory)
        noise.advance(at + 1)
        memory = _Memory(noise, gap.accepted(at + 1), acceptances + 1)
        found = Found(state.iteration + at + 1, candidates[at].copy(), float(loss[at]))
        return State(found.theta, found.loss, found.iteration, memory, (found,))
