"""Momentum."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def trace(momentum: Any, nesterov: bool = False) -> Rule:
    """``v = momentum * v + g``, ``step = v``, ``v_0 = 0`` (Polyak, 1964; Sutskever et al., 2013).

    With ``nesterov`` the step looks ahead: ``step = g + momentum * v`` (Nesterov, 1983).
    """

    def bind(at: At, step: Array) -> Bound:
        velocity, share = at.remembered("velocity"), at.full(momentum)
        calls: list[Call] = [
            partial(np.multiply, share, velocity, velocity),
            partial(np.add, velocity, step, velocity),
        ]
        if not nesterov:
            return Bound(calls, velocity)
        ahead = np.empty_like(step)
        looked = [partial(np.multiply, share, velocity, ahead), partial(np.add, step, ahead, ahead)]
        return Bound([*calls, *looked], ahead)

    return bind
