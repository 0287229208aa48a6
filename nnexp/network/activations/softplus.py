"""The smooth rectifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Softplus(Activation):
    """``f(z) = log(1 + exp(z))``, ``f'(z) = sigmoid(z) = 1 - exp(-a)`` (Dugas et al., 2001); no exp overflows."""

    def forward(self, z: Array) -> list[Call]:
        tail = np.empty_like(z)
        return [
            partial(np.absolute, z, tail),
            partial(np.negative, tail, tail),
            partial(np.exp, tail, tail),
            partial(np.log1p, tail, tail),
            partial(np.maximum, z, z.dtype.type(0), out=z),
            partial(np.add, z, tail, z),
        ]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return [
            partial(np.negative, a, scratch),
            partial(np.expm1, scratch, scratch),
            partial(np.negative, scratch, scratch),
            partial(np.multiply, grad, scratch, grad),
        ]
