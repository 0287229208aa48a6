"""OpenAI-ES: a gradient from ranks of antithetic candidates, for a gradient method's rules (Salimans et al., 2017)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.calls import run
from nnexp.config.settings import ConfigError, Range, setting
from nnexp.optim.adam import Adam
from nnexp.optim.at import At
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.schedules import needing_total

Array = np.ndarray[Any, Any]

ENDLESS = int(np.iinfo(np.int64).max)
"""The number of updates that rules may expect: a search does not know its budget."""


class _Memory(NamedTuple):
    """Theta and the answer ``(P,)``, noise ``(K/2, P)``, updates so far, the state of the method's rules; float64."""

    draws: Draws
    theta: Array
    answer: Array
    noise: Array
    updates: int
    remembered: dict[str, Array]


@dataclass(frozen=True)
class OpenAIES(GenerationalMethod):
    """Evolution strategy with a fixed standard deviation, whose gradient is passed to a gradient method.

    A generation is ``theta + scale * e_i`` and ``theta - scale * e_i``, e_i from N(0, I), for i = 1 to n, half of the
    population. Losses are replaced by their ranks, from -0.5 for the lowest to 0.5, equal losses by their mean rank::

        gradient = 1 / (2 n scale) * sum_i (rank+_i - rank-_i) * e_i

    The method ``update`` makes a step of this gradient, with its rules (momentum, Adam, weight decay, clipping)
    and this method's ``learning_rate`` (Salimans et al., 2017). An iteration is one candidate. An incomplete
    generation at the budget's end makes no step.

    The answer is theta, which is not a candidate: its loss is computed for the record, and not counted as an
    evaluation.
    """

    option: ClassVar[str] = "openai_es"

    learning_rate: float = setting(
        0.03, "step size", Range(0, above=True, log=True, search=(0.001, 1)), per_run=True
    )
    scale: float = setting(
        0.1,
        "standard deviation of candidates around theta",
        Range(0, above=True, log=True, search=(0.001, 1)),
        per_run=True,
    )
    population: int = setting(10, "candidates of a generation, an even number", Range(2))
    update: GradientMethod = setting(Adam(), "gradient method that makes steps of the estimated gradient")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population % 2:
            raise ConfigError(f"{self.name}.population={self.population}: expected an even number")
        if self.update.evaluations != GradientMethod.evaluations:
            raise ConfigError(
                f"{self.name}.update={self.update.name}: expected a method that needs one gradient for an update"
            )
        for schedule in needing_total(self.update):
            raise ConfigError(
                f"{self.name}.update.schedule={schedule}: expected a schedule that does not need "
                f"the number of updates"
            )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        own = theta.astype(np.float64)
        return _Memory(draws, own, own, np.empty(0), 0, {})

    def draw(self, memory: _Memory) -> _Memory:
        normals, count = memory.draws.normals, self.population // 2
        noise = normals.peek(count).astype(np.float64)
        normals.advance(count)
        return memory._replace(noise=noise)

    def candidates(self, memory: _Memory) -> Array:
        steps = self.scale * memory.noise
        return np.concatenate([memory.theta + steps, memory.theta - steps])

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        draws, theta, _, noise, updates, remembered = memory
        rank, count = centered_ranks(loss), len(noise)
        gradient = (rank[:count] - rank[count:]) @ noise / (2 * count * self.scale)
        # Copies, because earlier states keep their arrays.
        at = At(
            theta=theta[None].copy(),
            gradient=gradient[None],
            loss=np.array([loss.mean()]),
            count=np.array(updates),
            limits=np.array([ENDLESS]),
            again=(),
            draws=(draws.rng,),
            memory={name: array.copy() for name, array in remembered.items()},
        )
        method = replace(self.update, learning_rate=self.learning_rate)
        run(method.bind(at))
        return _Memory(draws, at.theta[0], method.answer(at)[0].copy(), noise, updates + 1, at.memory)

    def answer(self, memory: _Memory) -> Array:
        return memory.answer


def centered_ranks(loss: Array) -> Array:
    """Ranks of losses ``(K,)`` from -0.5 to 0.5; equal losses have their mean rank.

    >>> centered_ranks(np.array([3.0, 1.0, np.inf, 3.0, 0.0])).tolist()
    [0.125, -0.25, 0.5, 0.125, -0.5]
    """
    _, kinds, counts = np.unique(loss, return_inverse=True, return_counts=True)
    ranks = counts.cumsum() - (counts + 1) / 2
    centered: Array = ranks[kinds] / (len(loss) - 1) - 0.5
    return centered
