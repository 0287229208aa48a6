"""What a method is: functions on flat vectors with a run axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from nnexp.optim.noise import Noise

Array = np.ndarray[Any, Any]


class Improvements(NamedTuple):
    """The improvements that one ``tell`` found, in order: columns of equal length M.

    ``run (M,)``, ``iteration (M,)`` after the improvement (candidate number ``iteration - 1``),
    ``theta (M, P)`` and ``loss (M,)``.
    """

    run: Array
    iteration: Array
    theta: Array
    loss: Array


class State(NamedTuple):
    """Where R runs stand: the answer so far, and the method's memory.

    ``theta (R, P)`` and its ``loss (R,)`` (+inf before anything was scored, NaN where the method does not
    keep it), ``iteration (R,)``, ``asked (R,)`` candidates of the present block that count, ``memory``
    anything of the method's own, and the last tell's ``improvements``. Arrays are never written again.
    """

    theta: Array
    loss: Array
    iteration: Array
    asked: Array
    memory: Any
    improvements: Improvements | None


class ScoreLike(Protocol):
    """Anything with a loss ``(R, K)``, possibly None."""

    @property
    def loss(self) -> Array | None: ...


class SearchMethod(Protocol):
    """A method that asks for candidates and is told their scores; hyperparameters may be arrays ``(R,)``."""

    needs_gradient: bool
    score_start: bool
    batch_size: int | None

    def init(self, theta: Array, loss: Array, noise: Noise | None) -> State:
        """The state before the first iteration, at ``theta (R, P)`` with ``loss (R,)``."""

    def ask(self, state: State, limit: Array) -> tuple[State, Array]:
        """Candidates ``(R, K, P)``, of which the first ``asked <= limit (R,)`` count for each run."""

    def tell(self, state: State, candidates: Array, score: ScoreLike) -> State:
        """The state after the candidates' scores are known."""


@runtime_checkable
class GradientMethod(Protocol):
    """A method that looks where theta is and follows a rule; hyperparameters may be arrays ``(R,)``."""

    needs_gradient: bool
    batch_size: int | None

    def bind(self, theta: Array, gradient: Array, memory: dict[str, Array]) -> list[Callable[[], Any]]:
        """Calls that move ``theta (R, P)`` in place by one update; ``memory`` is kept between bindings."""

    def select(self, runs: Array) -> GradientMethod:
        """The same method for some of the runs."""


Method = SearchMethod | GradientMethod
