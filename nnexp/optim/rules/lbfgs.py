"""L-BFGS."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call, run
from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]

SMALLEST_GRADIENT, SMALLEST_SLOPE, SMALLEST_CURVATURE = 1e-7, 1e-9, 1e-10
"""Below one of the first two a run makes no step; a pair of differences below the third is not stored."""


def lbfgs(history: int) -> Rule:
    """``step = H g``, H an estimate of the inverse Hessian from the last steps and gradients (Liu and Nocedal, 1989).

    H is built from the last ``history`` pairs ``s = theta_t - theta_t-1``, ``y = g_t - g_t-1`` with ``s.y > 1e-10``,
    beginning with ``s.y / y.y`` of the newest; two loops over the pairs give ``H g``. The first step is the gradient,
    scaled down so that its L1 norm is at most 1.
    """

    def bind(at: At, step: Array) -> Bound:
        loops = _TwoLoops(at, step, history)
        return Bound([loops], loops.step)

    return bind


class _TwoLoops:
    """Writes ``step (R, P)``. The loops run over all places, also empty ones: results are equal in any group."""

    def __init__(self, at: At, gradient: Array, history: int) -> None:
        size = gradient.shape[1]
        self._at, self._gradient, self.step = at, gradient, np.zeros_like(gradient)
        self._theta_before, self._gradient_before = at.remembered("theta"), at.remembered("gradient")
        # Oldest first; an empty place has weight zero.
        self._s, self._y = at.remembered("s", (history, size)), at.remembered("y", (history, size))
        self._weight = at.remembered("weight", (history, 1))
        self._scale = at.remembered("scale", (1,), 1.0)
        self._direction = np.empty_like(gradient)
        self._loops = self._bound(history)

    def __call__(self) -> None:
        theta, g, first = self._at.theta, self._gradient, not self._at.count.item()
        if not first:
            self._learn(theta - self._theta_before, g - self._gradient_before)
        np.copyto(self._theta_before, theta)
        np.copyto(self._gradient_before, g)
        step = self._direction
        np.copyto(step, g)
        run(self._loops)
        if first:
            step *= np.minimum(1, 1 / np.add.reduce(np.abs(g), axis=1, keepdims=True))
        moves = (np.abs(g).max(axis=1) > SMALLEST_GRADIENT) & (np.vecdot(g, step) >= SMALLEST_SLOPE)
        np.copyto(self.step, np.where(moves[:, None], step, 0))

    def _learn(self, s: Array, y: Array) -> None:
        curvature = np.vecdot(s, y)
        kept = np.flatnonzero(curvature > SMALLEST_CURVATURE)
        if not len(kept):
            return
        weight, scale = 1 / curvature, curvature / np.vecdot(y, y)
        self._scale[kept, 0] = scale[kept]
        for places, newest in ((self._s, s), (self._y, y), (self._weight, weight[:, None])):
            places[kept] = np.concatenate([places[kept, 1:], newest[kept, None]], axis=1)

    def _bound(self, history: int) -> list[Call]:
        """Calls that multiply the direction by H, in place."""
        q, way, dot = self._direction, np.empty_like(self._direction), np.empty_like(self._scale)
        shares = np.empty((history, *dot.shape), dot.dtype)
        places = [(self._s[:, at], self._y[:, at], self._weight[:, at], shares[at]) for at in range(history)]
        calls: list[Call] = []
        for s, y, weight, share in reversed(places):
            calls += [
                partial(np.vecdot, s, q, share[:, 0]),
                partial(np.multiply, weight, share, share),
                partial(np.multiply, share, y, way),
                partial(np.subtract, q, way, q),
            ]
        calls.append(partial(np.multiply, self._scale, q, q))
        for s, y, weight, share in places:
            calls += [
                partial(np.vecdot, y, q, dot[:, 0]),
                partial(np.multiply, weight, dot, dot),
                partial(np.subtract, share, dot, dot),
                partial(np.multiply, dot, s, way),
                partial(np.add, q, way, q),
            ]
        return calls
