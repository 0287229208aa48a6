"""What an activation function is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call, run
from nnexp.network.layers.layer import Layer, Passes, Place

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Activation(Layer):
    """A function of pre-activations and its pullback, as calls on the arrays that they are given; a layer too.

    Attributes:
        keeps_one: whether ``f(1) = 1``; then the row of ones above a layer's outputs may be run through it.
        elementwise: whether each output depends on one input alone; only such functions may follow hidden layers.
        probabilities: whether outputs are probabilities: of classes, or of each output alone.
        reads_input: whether the pullback is written in terms of ``z``, which then must stay.
    """

    group: ClassVar[str] = "architecture/activation"
    keeps_one: ClassVar[bool] = False
    elementwise: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False
    reads_input: ClassVar[bool] = False
    in_place: ClassVar[bool] = True
    reads_out: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        """Calls that replace ``z (..., C, N)`` by ``a = f(z)``."""
        raise TypeError(f"{type(self).__name__} must define forward()")

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        """Calls that replace ``grad = dL/da`` by ``dL/dz``, written in terms of ``a``, which they may use up.

        So ``z`` need not be kept, and what stays in place takes less of the cache. A function that
        :attr:`reads_input` takes ``z`` in place of ``a``, and must not write it. ``scratch`` has the shape and dtype
        of ``a``.
        """
        raise TypeError(f"{type(self).__name__} must define backward()")

    def __call__(self, z: Array) -> Array:
        """``z`` replaced by ``f(z)``."""
        run(self.forward(z))
        return z

    def bind(self, at: Place) -> Passes:
        # With their row of ones, if that stays, activations are one long loop.
        whole = at.x if at.inside and self.keeps_one else at.out
        forward = [*([] if at.inside else [at.copy()]), *self.forward(whole)]
        if at.dout is None or at.dx is None:
            return Passes(forward)
        scratch = at.take("scratch", at.out.shape)
        if not self.reads_input:
            return Passes(forward, self.backward(at.dout, at.out, scratch))
        return Passes(
            forward, [partial(np.copyto, at.dx, at.dout), *self.backward(at.dx, at.values, scratch)]
        )

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return self(np.array(x))


def filled(z: Array, number: float) -> Array:
    """A number as an array that fits ``z``.

    NumPy compares two arrays four times as fast as an array and a number, and of one shape sooner.
    """
    numbers = np.full(z.shape[-2:], number, z.dtype)
    return numbers.reshape(z.shape) if z.size == numbers.size else numbers
