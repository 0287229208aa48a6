"""SPSA: a gradient along one random direction, from two losses (Spall, 1992)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """Theta and the signs of the next pair ``(P,)``, float64, and pairs drawn so far."""

    draws: Draws
    theta: Array
    signs: Array
    pairs: int


@dataclass(frozen=True)
class SPSA(GenerationalMethod):
    """Simultaneous perturbation stochastic approximation (Spall, 1992; gains as in Spall, 1998).

    Step k, from 0 on, evaluates the pair ``theta + c_k * s`` and ``theta - c_k * s``, where s are random signs::

        theta = theta - a_k * (loss+ - loss-) / (2 c_k) * s
        a_k = learning_rate * ((stability + 1) / (stability + 1 + k))^0.602,   c_k = scale / (k + 1)^0.101

    so that ``learning_rate`` is the first step's gain, Spall's ``a / (A + 1)^0.602``, and ``stability`` his A.
    An iteration is one candidate, so a step takes two; a candidate without its partner at the budget's end makes no
    step. Nor does a pair whose losses are not both finite.

    The answer is theta, which is not a candidate: its loss is computed for the record, and not counted as an
    evaluation.
    """

    option: ClassVar[str] = "spsa"

    learning_rate: float = setting(
        0.03, "gain of the first step", Range(0, above=True, log=True, search=(0.0001, 10)), per_run=True
    )
    scale: float = setting(
        0.1,
        "initial size of the perturbation of each parameter",
        Range(0, above=True, log=True, search=(0.001, 1)),
        per_run=True,
    )
    stability: float = setting(
        1000.0,
        "Spall's A: steps before which the gain hardly falls; a tenth of all steps is usual",
        Range(0),
        per_run=True,
    )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        return _Memory(draws, theta.astype(np.float64), np.empty(0), 0)

    def draw(self, memory: _Memory) -> _Memory:
        signs = 2.0 * memory.draws.rng.integers(0, 2, memory.theta.size) - 1
        return memory._replace(signs=signs, pairs=memory.pairs + 1)

    def candidates(self, memory: _Memory) -> Array:
        step = self._length(memory.pairs) * memory.signs
        return np.stack([memory.theta + step, memory.theta - step])

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        slope = (loss[0] - loss[1]) / (2 * self._length(memory.pairs))
        if not np.isfinite(slope):
            return memory
        first = self.stability + 1
        gain = self.learning_rate * (first / (first + memory.pairs - 1)) ** 0.602
        return memory._replace(theta=memory.theta - gain * slope * memory.signs)

    def answer(self, memory: _Memory) -> Array:
        return memory.theta

    def _length(self, pair: int) -> float:
        """The perturbation's length of a pair, counted from 1."""
        return float(self.scale / pair**0.101)
