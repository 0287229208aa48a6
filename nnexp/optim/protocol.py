"""What a method is: functions on flat vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from nnexp.optim.noise import Stream

Array = np.ndarray[Any, Any]


class Found(NamedTuple):
    """An improvement: the iteration after it (candidate number ``iteration - 1``), theta ``(P,)`` and its loss."""

    iteration: int
    theta: Array
    loss: float


class State(NamedTuple):
    """Where a search stands: the answer so far, and the method's memory.

    ``theta (P,)`` and its ``loss`` (+inf before anything was scored), ``iteration``, ``memory`` anything of the
    method's own, and what the last tell ``found``, in order. Arrays are never written again.
    """

    theta: Array
    loss: float
    iteration: int
    memory: Any
    found: Sequence[Found] = ()


class SearchMethod(Protocol):
    """A method that asks for candidates and is told their losses; hyperparameters may be arrays ``(R,)``."""

    needs_gradient: bool
    score_start: bool
    batch_size: int | None

    def init(self, theta: Array, loss: float, noise: Stream) -> State:
        """The state before the first iteration, at ``theta (P,)`` with its loss."""

    def ask(self, state: State, limit: int) -> Array:
        """Candidates ``(K, P)``, at most ``limit``."""

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        """The state after the candidates' losses ``(K,)`` are known."""

    def select(self, runs: Any) -> SearchMethod:
        """The same method for one run, or some of the runs."""


@runtime_checkable
class GradientMethod(Protocol):
    """A method that looks where theta is and follows a rule; hyperparameters may be arrays ``(R,)``."""

    needs_gradient: bool
    batch_size: int | None

    def bind(self, theta: Array, gradient: Array, memory: dict[str, Array]) -> list[Callable[[], Any]]:
        """Calls that move ``theta (R, P)`` in place by one update; ``memory`` is kept between bindings."""

    def select(self, runs: Any) -> GradientMethod:
        """The same method for some of the runs."""


Method = SearchMethod | GradientMethod


def selected(value: Any, runs: Any) -> Any:
    """A hyperparameter's value for some of the runs: a number is the same for all."""
    return np.asarray(value)[runs] if np.ndim(value) else value
