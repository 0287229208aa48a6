"""Weight decay and the L1 penalty."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def decay(factor: Any) -> Rule:
    """``step = g + factor * theta``.

    First in a chain it is coupled, the gradient of the penalty ``factor / 2 * |theta|^2`` (Krogh and Hertz, 1991); last
    in a chain it is decoupled: ``theta = (1 - learning_rate * factor) * theta - ...`` (Loshchilov and Hutter, 2019).
    """

    def bind(at: At, step: Array) -> Bound:
        decayed, share = np.empty_like(step), at.full(factor)
        return Bound(
            [partial(np.multiply, share, at.theta, decayed), partial(np.add, step, decayed, decayed)], decayed
        )

    return bind


def l1(factor: Any) -> Rule:
    """``step = g + factor * sign(theta)``: a gradient of the penalty ``factor * |theta|_1`` (Tibshirani, 1996)."""

    def bind(at: At, step: Array) -> Bound:
        decayed, share = np.empty_like(step), at.full(factor)
        return Bound(
            [
                partial(np.sign, at.theta, decayed),
                partial(np.multiply, share, decayed, decayed),
                partial(np.add, step, decayed, decayed),
            ],
            decayed,
        )

    return bind
