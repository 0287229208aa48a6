"""RMSProp."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def rmsprop(decay: Any, epsilon: Any) -> Rule:
    """``v = decay * v + (1 - decay) * g^2``, ``step = g / (sqrt(v) + epsilon)`` (Tieleman and Hinton, 2012).

    ``v_0 = 0``.
    """

    def bind(at: At, step: Array) -> Bound:
        squares, small, scaled = at.remembered("squares"), at.full(epsilon), np.empty_like(step)
        kept, taken = at.full(decay), at.full(1 - np.asarray(decay))
        return Bound(
            [
                partial(np.multiply, kept, squares, squares),
                partial(np.multiply, step, step, scaled),
                partial(np.multiply, taken, scaled, scaled),
                partial(np.add, squares, scaled, squares),
                partial(np.sqrt, squares, scaled),
                partial(np.add, scaled, small, scaled),
                partial(np.divide, step, scaled, scaled),
            ],
            scaled,
        )

    return bind
