"""Where runs stand between updates, for methods that look around within one."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.optim.at import At

Array = np.ndarray[Any, Any]


def start(at: At) -> Array:
    """Theta ``(R, P)`` as it was before the update; the method writes it when an update is done.

    It is what such a method answers with: training can be interrupted while theta is elsewhere.
    """
    return at.remembered("start", fill=at.theta)
