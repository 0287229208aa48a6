"""The base class of gradient-free methods: functions of one run's flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import setting
from nnexp.optim.draws import Draws
from nnexp.optim.method import Method

Array = np.ndarray[Any, Any]


class Found(NamedTuple):
    """An improvement: the iteration after it (candidate number ``iteration - 1``), theta ``(P,)`` and its loss."""

    iteration: int
    theta: Array
    loss: float


class State(NamedTuple):
    """The state of a search: the answer so far, and the method's memory.

    ``theta (P,)`` and its ``loss`` (+inf before the first evaluation, NaN where the answer is not a candidate),
    ``iteration``, ``memory`` anything that the method needs, and the improvements ``found`` by the last tell, in order.
    Arrays are never written again.
    """

    theta: Array
    loss: float
    iteration: int
    memory: Any
    found: Sequence[Found] = ()


def keep_best(state: State, candidates: Array, loss: Array, memory: Any) -> State:
    """The state after more candidates ``(K, P)``; its answer is the best so far. A loss of NaN is no improvement."""
    best = np.fmin.accumulate(np.concatenate([[state.loss], loss]))
    better = np.flatnonzero(loss < best[:-1])
    # Copies, so that the best row does not keep its whole block in memory.
    found = [
        Found(state.iteration + at + 1, candidates[at].copy(), float(loss[at])) for at in better.tolist()
    ]
    theta, value = (found[-1].theta, found[-1].loss) if found else (state.theta, state.loss)
    return State(theta, value, state.iteration + len(candidates), memory, found)


@dataclass(frozen=True)
class SearchMethod(Method):
    """A method with an ask/tell interface, for one run: it proposes candidates and receives their losses.

    An iteration is one candidate, and so is an evaluation.
    """

    needs_gradient: ClassVar[bool] = False
    batch_size: ClassVar[None] = None

    _: KW_ONLY
    score_start: bool | None = setting(
        None,
        "true: evaluate the initial weights; false: accept the first candidate always; null: false for "
        "streams=notebook, else true",
    )

    def init(self, theta: Array, loss: float, draws: Draws) -> State:
        """The state before the first iteration, at ``theta (P,)`` with its loss; called once a run."""
        raise TypeError(f"{type(self).__name__} must define init()")

    def ask(self, state: State, limit: int) -> Array:
        """Candidates ``(K, P)``, at least one and at most ``limit``."""
        raise TypeError(f"{type(self).__name__} must define ask()")

    def tell(self, state: State, candidates: Array, loss: Array) -> State:
        """The state after the candidates' losses ``(K,)`` are known."""
        raise TypeError(f"{type(self).__name__} must define tell()")
