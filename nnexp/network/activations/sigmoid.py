"""The logistic function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation, filled

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sigmoid(Activation):
    """``f(z) = 1 / (1 + exp(-z))``, ``f' = f (1 - f)``."""

    probabilities: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        # e / (1 + e) with e = exp(z) is exact to a few last bits down to the smallest number, where
        # (1 + tanh(z / 2)) / 2 is 0 from z = -18 on. Above 40 it is 1 in float64 too, so that no exp overflows.
        most, scratch = filled(z, 40), np.empty_like(z)
        return [
            partial(np.minimum, z, most, out=z),
            partial(np.exp, z, z),
            partial(np.add, z, z.dtype.type(1), scratch),
            partial(np.divide, z, scratch, z),
        ]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return [
            partial(np.subtract, a.dtype.type(1), a, scratch),
            partial(np.multiply, scratch, a, scratch),
            partial(np.multiply, grad, scratch, grad),
        ]
