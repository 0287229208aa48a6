"""Searches that learn from whole generations of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnexp.optim.draws import Draws
from nnexp.optim.search_method import SearchMethod, State, keep_best

Array = np.ndarray[Any, Any]


class Generation(NamedTuple):
    """The present generation: candidates ``(K, P)``, the losses known so far, and the method's memory."""

    candidates: Array
    loss: Array
    memory: Any


@dataclass(frozen=True)
class GenerationalMethod(SearchMethod):
    """A search that learns when the losses of a whole generation of candidates are known.

    An iteration is one candidate, and so is an evaluation. Where the budget ends within a generation, its first
    candidates are evaluated and may become the answer, but nothing is learned from them. A search that continues starts
    with the rest of that generation: no result depends on how many candidates are evaluated at once.

    A loss of NaN is read as +inf. From a generation without a finite loss nothing is learned: another one is drawn.
    The answer is the best candidate so far, unless the method has another one.
    """

    def start(self, theta: Array, draws: Draws) -> Any:
        """The memory at ``theta (P,)``: a NamedTuple of arrays and counters."""
        raise TypeError(f"{type(self).__name__} must define start()")

    def draw(self, memory: Any) -> Any:
        """The memory with the random numbers of the next generation."""
        raise TypeError(f"{type(self).__name__} must define draw()")

    def candidates(self, memory: Any) -> Array:
        """The candidates ``(K, P)`` of the generation in the memory."""
        raise TypeError(f"{type(self).__name__} must define candidates()")

    def learn(self, memory: Any, loss: Array) -> Any:
        """The memory after all losses ``(K,)`` of the generation, float64, at least one of them finite."""
        raise TypeError(f"{type(self).__name__} must define learn()")

    def answer(self, memory: Any) -> Array | None:
        """The answer ``(P,)`` where it is not a candidate, so that its loss is unknown; else None."""
        return None

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        return State(theta, loss, 0, self._next(self.start(theta, draws), theta.dtype))

    def ask(self, state: State, limit: int) -> Array:
        generation: Generation = state.memory
        at = len(generation.loss)
        return generation.candidates[at : at + limit]

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        generation: Generation = state.memory
        known = np.concatenate([generation.loss, np.where(np.isnan(loss), np.inf, loss)])
        memory, whole = generation.memory, len(known) == len(generation.candidates)
        if whole and np.isfinite(known).any():
            memory = self.learn(memory, known)
        following = (
            self._next(memory, candidates.dtype)
            if whole
            else Generation(generation.candidates, known, memory)
        )
        answer = self.answer(memory)
        if answer is None:
            return keep_best(state, candidates, loss, following)
        iteration = state.iteration + len(candidates)
        if memory is generation.memory:
            return State(state.theta, state.loss, iteration, following)
        return State(answer.astype(candidates.dtype), np.nan, iteration, following)

    def _next(self, memory: Any, dtype: Any) -> Generation:
        drawn = self.draw(memory)
        return Generation(self.candidates(drawn).astype(dtype, copy=False), np.empty(0), drawn)


def usual_population(size: int) -> int:
    """The usual population for ``size`` parameters: ``4 + floor(3 ln P)`` (Hansen and Ostermeier, 2001).

    >>> usual_population(387)
    21
    """
    return 4 + int(3 * np.log(size))


def normal_length(size: int) -> float:
    """The expected length of a normal vector ``(P,)``: ``sqrt(P) (1 - 1/(4P) + 1/(21P^2))``, to 1 % from P = 1 on.

    >>> round(normal_length(3), 3)
    1.597
    """
    return float(np.sqrt(size) * (1 - 1 / (4 * size) + 1 / (21 * size**2)))
