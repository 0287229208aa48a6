"""The exponential linear unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ELU(Activation):
    """``f(z) = z`` where z > 0, else ``alpha (exp(z) - 1)`` (Clevert, Unterthiner and Hochreiter, 2016).

    ``f' = 1`` where a > 0, else ``a + alpha``.
    """

    option: ClassVar[str] = "elu"
    keeps_one: ClassVar[bool] = True

    alpha: float = setting(1.0, "minus the limit of f(z) as z goes to minus infinity", Range(0, above=True))

    def forward(self, z: Array) -> list[Call]:
        low, zero = np.empty_like(z), z.dtype.type(0)
        return [
            partial(np.minimum, z, zero, out=low),
            partial(np.expm1, low, low),
            partial(np.multiply, low, z.dtype.type(self.alpha), low),
            partial(np.maximum, z, zero, out=z),
            partial(np.add, z, low, z),
        ]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        number = a.dtype.type
        # alpha below zero, 1 above it: there min(a, 0) is 0.
        above, share = np.empty(a.shape, bool), np.empty_like(a)
        return [
            partial(np.greater, a, number(0), above),
            partial(np.multiply, above, number(1 - self.alpha), share),
            partial(np.minimum, a, number(0), out=scratch),
            partial(np.add, scratch, number(self.alpha), scratch),
            partial(np.add, scratch, share, scratch),
            partial(np.multiply, grad, scratch, grad),
        ]
