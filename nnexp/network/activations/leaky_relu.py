"""The leaky rectifier."""

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
class LeakyReLU(Activation):
    """``f(z) = max(z, slope z)``, ``f'(z) = 1`` where z > 0, else ``slope`` (Maas, Hannun and Ng, 2013)."""

    option: ClassVar[str] = "leaky_relu"
    keeps_one: ClassVar[bool] = True

    slope: float = setting(0.01, "slope below zero", Range(0, 1, below=True))

    def forward(self, z: Array) -> list[Call]:
        low = np.empty_like(z)
        return [partial(np.multiply, z, z.dtype.type(self.slope), low), partial(np.maximum, z, low, out=z)]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return [
            partial(np.sign, a, scratch),
            partial(np.maximum, scratch, a.dtype.type(self.slope), out=scratch),
            partial(np.multiply, grad, scratch, grad),
        ]
