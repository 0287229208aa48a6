"""The hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tanh(Activation):
    """``f(z) = tanh(z)``, ``f' = 1 - f**2``."""

    def forward(self, z: Array) -> list[Call]:
        return [partial(np.tanh, z, z)]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return [
            partial(np.multiply, a, a, a),
            partial(np.subtract, a.dtype.type(1), a, a),
            partial(np.multiply, grad, a, grad),
        ]
