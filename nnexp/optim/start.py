"""Theta between updates, for methods that evaluate other points within an update."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.optim.at import At

Array = np.ndarray[Any, Any]


def start(at: At) -> Array:
    """Theta ``(R, P)`` before the update; the method writes it at the update's end.

    It is the answer of such a method: training can be interrupted while theta is at another point.
    """
    return at.remembered("start", fill=at.theta)
