"""Activation functions: value and derivative, in place, for any leading axes."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]
"""A NumPy function bound to the arrays that it reads and writes: a step is many, made once and called often."""


def run(calls: Iterable[Call]) -> None:
    """Call one after another; between NumPy's functions no signal's handler comes in."""
    deque(map(operator.call, calls), maxlen=0)


class Activation(NamedTuple):
    """An elementwise function and its pullback, as calls on the arrays that they are given.

    ``forward(z)`` replaces ``z`` by ``a = f(z)``; ``backward(grad, a, scratch)`` replaces ``grad = dL/da``
    by ``dL/dz = grad * f'(z)``, where ``f'`` is written in terms of ``a`` so that ``z`` need not be kept, and
    uses ``a`` up: what stays in place takes less of the cache. ``scratch`` has the shape and dtype of ``a``.
    ``keeps_one`` is whether ``f(1) = 1``.
    """

    name: str
    keeps_one: bool
    forward: Callable[[Array], list[Call]]
    backward: Callable[[Array, Array, Array], list[Call]]

    def __call__(self, z: Array) -> Array:
        """``z`` replaced by ``f(z)``."""
        run(self.forward(z))
        return z


def _whole(z: Array, number: float) -> Array:
    """A number as an array that fits ``z``.

    NumPy compares two arrays four times as fast as an array and a number, and of one shape sooner.
    """
    filled = np.full(z.shape[-2:], number, z.dtype)
    return filled.reshape(z.shape) if z.size == filled.size else filled


def _relu(z: Array) -> list[Call]:
    return [partial(np.maximum, z, _whole(z, 0), out=z)]


def _relu_backward(grad: Array, a: Array, scratch: Array) -> list[Call]:
    # a is 0 or more, so its bits, read as an integer, are above 0 where a is: the sign of their negative,
    # spread over all bits, is the mask. It is faster than a comparison, whose result must be converted.
    whole = np.dtype(f"i{a.itemsize}")
    bits, kept = a.view(whole), grad.view(whole)
    return [
        partial(np.negative, bits, bits),
        partial(np.right_shift, bits, whole.type(8 * a.itemsize - 1), bits),
        partial(np.bitwise_and, kept, bits, kept),
    ]


def _sigmoid(z: Array) -> list[Call]:
    # e / (1 + e) with e = exp(z) is exact to a few last bits down to the smallest number, where (1 + tanh(z / 2)) / 2
    # is 0 from z = -18 on. Above 40 it is 1 in float64 too, so that no exp overflows.
    most, scratch = _whole(z, 40), np.empty_like(z)
    return [
        partial(np.minimum, z, most, out=z),
        partial(np.exp, z, z),
        partial(np.add, z, z.dtype.type(1), scratch),
        partial(np.divide, z, scratch, z),
    ]


def _sigmoid_backward(grad: Array, a: Array, scratch: Array) -> list[Call]:
    return [
        partial(np.subtract, a.dtype.type(1), a, scratch),
        partial(np.multiply, scratch, a, scratch),
        partial(np.multiply, grad, scratch, grad),
    ]


def _tanh(z: Array) -> list[Call]:
    return [partial(np.tanh, z, z)]


def _tanh_backward(grad: Array, a: Array, scratch: Array) -> list[Call]:
    return [
        partial(np.multiply, a, a, a),
        partial(np.subtract, a.dtype.type(1), a, a),
        partial(np.multiply, grad, a, grad),
    ]


RELU = Activation("relu", True, _relu, _relu_backward)
"""``f(z) = max(0, z)``, ``f'(z) = [z > 0]`` (Nair and Hinton, 2010)."""
SIGMOID = Activation("sigmoid", False, _sigmoid, _sigmoid_backward)
"""``f(z) = 1 / (1 + exp(-z))``, ``f' = f (1 - f)``."""
TANH = Activation("tanh", False, _tanh, _tanh_backward)
"""``f(z) = tanh(z)``, ``f' = 1 - f**2``."""
LINEAR = Activation("linear", True, lambda z: [], lambda grad, a, scratch: [])
"""``f(z) = z``, ``f' = 1``."""

ACTIVATIONS = {activation.name: activation for activation in (RELU, SIGMOID, TANH, LINEAR)}


def softmax(z: Array, out: Array | None = None) -> Array:
    """``exp(z_c - max z) / sum_k exp(z_k - max z)`` over the class axis -2 (Bridle, 1990).

    ``out`` may be ``z`` itself; without it the result is a new array.
    """
    e = np.subtract(z, np.maximum.reduce(z, axis=-2, keepdims=True), out=out)
    np.exp(e, out=e)
    return np.divide(e, sum_over_classes(e), out=e)


def softmax_backward(grad: Array, p: Array) -> Array:
    """``dL/dz_c = p_c (grad_c - sum_k p_k grad_k)``, written into ``grad = dL/dp``."""
    np.subtract(grad, np.add.reduce(grad * p, axis=-2, keepdims=True), out=grad)
    return np.multiply(grad, p, out=grad)


def sum_over_classes(e: Array) -> Array:
    """Sum over axis -2, kept, rounded as code with samples in rows rounds.

    NumPy adds eight or more contiguous numbers pairwise, and rows one after another: for the same
    last bit the classes are made contiguous first.
    """
    if e.shape[-2] < 8:
        return np.add.reduce(e, axis=-2, keepdims=True)
    return np.add.reduce(np.ascontiguousarray(e.swapaxes(-1, -2)), axis=-1)[..., None, :]
