"""The Gaussian error linear unit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import pi, sqrt
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]

C, CUBE = sqrt(2 / pi), 0.044715


@dataclass(frozen=True)
class GELU(Activation):
    """``f(z) = z (1 + t) / 2``, ``t = tanh(sqrt(2 / pi) (z + 0.044715 z^3))`` (Hendrycks and Gimpel, 2016, eq. 2).

    It is within 0.0005 of ``z Phi(z)``, Phi the normal distribution, which NumPy has no function for.
    ``f'(z) = (1 + t) / 2 + z (1 - t^2) sqrt(2 / pi) (1 + 3 * 0.044715 z^2) / 2``.
    """

    option: ClassVar[str] = "gelu"
    in_place: ClassVar[bool] = False
    reads_out: ClassVar[bool] = False
    reads_input: ClassVar[bool] = True

    @staticmethod
    def _tanh(z: Array, t: Array) -> list[Call]:
        number = z.dtype.type
        return [
            partial(np.multiply, z, z, t),
            partial(np.multiply, t, number(CUBE), t),
            partial(np.add, t, number(1), t),
            partial(np.multiply, t, z, t),
            partial(np.multiply, t, number(C), t),
            partial(np.tanh, t, t),
        ]

    def forward(self, z: Array) -> list[Call]:
        number, t = z.dtype.type, np.empty_like(z)
        return [
            *self._tanh(z, t),
            partial(np.add, t, number(1), t),
            partial(np.multiply, z, t, z),
            partial(np.multiply, z, number(0.5), z),
        ]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        number, t, s = a.dtype.type, np.empty_like(scratch), scratch
        squares = np.empty_like(scratch)
        return [
            *self._tanh(a, t),
            partial(np.multiply, a, a, s),
            partial(np.multiply, s, number(3 * CUBE), s),
            partial(np.add, s, number(1), s),
            partial(np.multiply, s, a, s),
            partial(np.multiply, s, number(C), s),
            partial(np.multiply, t, t, squares),
            partial(np.subtract, number(1), squares, squares),
            partial(np.multiply, squares, s, s),
            partial(np.add, s, t, s),
            partial(np.add, s, number(1), s),
            partial(np.multiply, s, number(0.5), s),
            partial(np.multiply, grad, s, grad),
        ]
