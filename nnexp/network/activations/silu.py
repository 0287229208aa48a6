"""The sigmoid linear unit, also called swish."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation
from nnexp.network.activations.sigmoid import Sigmoid

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SiLU(Activation):
    """``f(z) = z s``, ``f'(z) = s (1 + z (1 - s))``, ``s = sigmoid(z)`` (Elfwing, Uchibe and Doya, 2018)."""

    option: ClassVar[str] = "silu"
    in_place: ClassVar[bool] = False
    reads_out: ClassVar[bool] = False
    reads_input: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        s = np.empty_like(z)
        return [partial(np.copyto, s, z), *Sigmoid().forward(s), partial(np.multiply, z, s, z)]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        s, one = np.empty_like(scratch), a.dtype.type(1)
        return [
            partial(np.copyto, s, a),
            *Sigmoid().forward(s),
            partial(np.subtract, one, s, scratch),
            partial(np.multiply, scratch, a, scratch),
            partial(np.add, scratch, one, scratch),
            partial(np.multiply, scratch, s, scratch),
            partial(np.multiply, grad, scratch, grad),
        ]
