"""Lion."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def lion(beta1: Any, beta2: Any) -> Rule:
    """``step = sign(beta1 * m + (1 - beta1) * g)``, then ``m = beta2 * m + (1 - beta2) * g`` (Chen et al., 2023).

    ``m_0 = 0``. Both are computed as steps from m towards g, so that ``g - m`` is computed once.
    """

    def bind(at: At, step: Array) -> Bound:
        mean, ahead, signs = at.remembered("mean"), np.empty_like(step), np.empty_like(step)
        near, far = at.full(1 - np.asarray(beta1)), at.full(1 - np.asarray(beta2))
        return Bound(
            [
                partial(np.subtract, step, mean, ahead),
                partial(np.multiply, near, ahead, signs),
                partial(np.add, mean, signs, signs),
                partial(np.sign, signs, signs),
                partial(np.multiply, far, ahead, ahead),
                partial(np.add, mean, ahead, mean),
            ],
            signs,
        )

    return bind
