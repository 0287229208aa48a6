"""Averages of the weights over updates."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At

Array = np.ndarray[Any, Any]


def averaged(at: At) -> Array:
    """The average ``(R, P)``; before the first update it is theta."""
    return at.remembered("average", fill=at.theta)


def exponential_average(at: At, decay: Any) -> list[Call]:
    """Calls after an update: ``a = decay * a + (1 - decay) * theta``, ``a_0 = theta_0``."""
    return _towards_theta(at, at.full(1 - np.asarray(decay)))


def uniform_average(at: At) -> list[Call]:
    """Calls after update t: ``a = a + (theta - a) / t``, the mean of all thetas from the first update on.

    (Polyak and Juditsky, 1992.)
    """
    number, one = np.empty((), at.theta.dtype), at.number(1)
    counted: Call = partial(np.add, at.count, one, number, casting="unsafe")
    return [counted, partial(np.divide, one, number, number), *_towards_theta(at, number)]


def _towards_theta(at: At, share: Array) -> list[Call]:
    average, way = averaged(at), np.empty_like(at.theta)
    return [
        partial(np.subtract, at.theta, average, way),
        partial(np.multiply, share, way, way),
        partial(np.add, average, way, average),
    ]
