"""Adam and NAdam: steps from running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule
from nnexp.optim.table import Formula, Table

Array = np.ndarray[Any, Any]


def adam(beta1: Any, beta2: Any, epsilon: Any, amsgrad: bool = False) -> Rule:
    """``step = m' / (sqrt(v') + epsilon)`` with bias-corrected running means of the gradient and of its square.

    ``m = beta1 * m + (1 - beta1) * g``, ``m' = m / (1 - beta1^t)``, and
    ``v = beta2 * v + (1 - beta2) * g^2``, ``v' = v / (1 - beta2^t)``, t counted from 1 (Kingma and Ba, 2015).
    With ``amsgrad`` v' is computed from the largest v so far (Reddi, Kale and Kumar, 2018).

    The sums are kept without their factors ``1 - beta``, which are applied to two numbers an update: this saves two
    array operations.
    """

    def formula(b1: float, b2: float, small: float) -> Formula:
        def numbers(t: Array) -> Sequence[Any]:
            root = np.sqrt((1 - b2) / (1 - b2 ** (t + 1)))
            return (1 - b1) / (1 - b1 ** (t + 1)) / root, small / root

        return numbers

    def bind(at: At, step: Array) -> Bound:
        table = Table(at, list(map(formula, *map(at.each, (beta1, beta2, epsilon)))))
        scale, small = table.columns
        means, calls, root = _moments(at, step, beta1, beta2, small, amsgrad)
        divided = [partial(np.divide, means, root, root), partial(np.multiply, scale, root, root)]
        return Bound([table, *calls, *divided], root)

    return bind


def nadam(beta1: Any, beta2: Any, epsilon: Any, momentum_decay: Any) -> Rule:
    """Adam with Nesterov's look ahead, and a momentum that grows towards beta1 (Dozat, 2016).

    ``step = ((1 - mu_t) / (1 - M_t) * g + mu_t+1 / (1 - M_t+1) * m) / (sqrt(v') + epsilon)`` with m and v' as in
    :func:`adam`, ``mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)``, and ``M_t`` the product of mu up to t.
    """

    def formula(b1: float, b2: float, small: float, slope: float) -> Formula:
        def momentum(t: Array) -> Array:
            mu: Array = b1 * (1 - 0.5 * 0.96 ** (t * slope))
            return mu

        def product(t: Array) -> Array:
            # The product is below beta1^t, which soon does not change 1 - product any more.
            if b1 ** t[0] < 1e-18:
                return np.zeros_like(t)
            return np.cumprod(momentum(np.arange(1, t[-1] + 1)))[-len(t) :]

        def numbers(t: Array) -> Sequence[Any]:
            root = np.sqrt((1 - b2) / (1 - b2 ** (t + 1)))
            mu, after, so_far = momentum(t + 1), momentum(t + 2), product(t + 1)
            return (
                (1 - mu) / (1 - so_far) / root,
                after * (1 - b1) / (1 - so_far * after) / root,
                small / root,
            )

        return numbers

    def bind(at: At, step: Array) -> Bound:
        table = Table(at, list(map(formula, *map(at.each, (beta1, beta2, epsilon, momentum_decay)))))
        now, ahead, small = table.columns
        means, calls, root = _moments(at, step, beta1, beta2, small)
        scaled = np.empty_like(step)
        divided = [
            partial(np.divide, means, root, scaled),
            partial(np.multiply, ahead, scaled, scaled),
            partial(np.divide, step, root, root),
            partial(np.multiply, now, root, root),
            partial(np.add, scaled, root, scaled),
        ]
        return Bound([table, *calls, *divided], scaled)

    return bind


def _moments(
    at: At, step: Array, beta1: Any, beta2: Any, small: Array, largest: bool = False
) -> tuple[Array, list[Call], Array]:
    """Decaying sums of gradients and of squares; the calls update them and write ``sqrt(squares) + small``."""
    means, squares = at.remembered("means"), at.remembered("squares")
    keep1, keep2, root = at.full(beta1), at.full(beta2), np.empty_like(step)
    calls: list[Call] = [
        partial(np.multiply, keep1, means, means),
        partial(np.add, means, step, means),
        partial(np.multiply, keep2, squares, squares),
        partial(np.multiply, step, step, root),
        partial(np.add, squares, root, squares),
    ]
    if largest:
        most = at.remembered("largest")
        calls.append(partial(np.maximum, most, squares, out=most))
        squares = most
    calls += [partial(np.sqrt, squares, root), partial(np.add, root, small, root)]
    return means, calls, root
