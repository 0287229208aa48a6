"""AdaGrad."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def adagrad(epsilon: Any) -> Rule:
    """``v = v + g^2``, ``step = g / (sqrt(v) + epsilon)``, ``v_0 = 0`` (Duchi, Hazan and Singer, 2011)."""

    def bind(at: At, step: Array) -> Bound:
        squares, small, scaled = at.remembered("squares"), at.full(epsilon), np.empty_like(step)
        return Bound(
            [
                partial(np.multiply, step, step, scaled),
                partial(np.add, squares, scaled, squares),
                partial(np.sqrt, squares, scaled),
                partial(np.add, scaled, small, scaled),
                partial(np.divide, step, scaled, scaled),
            ],
            scaled,
        )

    return bind
