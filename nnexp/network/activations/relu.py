"""The rectifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation, filled

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ReLU(Activation):
    """``f(z) = max(0, z)``, ``f'(z) = [z > 0]`` (Nair and Hinton, 2010)."""

    option: ClassVar[str] = "relu"
    keeps_one: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        return [partial(np.maximum, z, filled(z, 0), out=z)]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        # a is 0 or more, so its bits, read as an integer, are above 0 where a is: the sign of their negative,
        # spread over all bits, is the mask. It is faster than a comparison, whose result must be converted.
        whole = np.dtype(f"i{a.itemsize}")
        bits, kept = a.view(whole), grad.view(whole)
        return [
            partial(np.negative, bits, bits),
            partial(np.right_shift, bits, whole.type(8 * a.itemsize - 1), bits),
            partial(np.bitwise_and, kept, bits, kept),
        ]
