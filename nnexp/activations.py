"""Activation functions: value and derivative, in place, for any leading axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Activation(NamedTuple):
    """An elementwise function and its pullback, both written into the arrays that they are given.

    ``forward(z)`` replaces ``z`` by ``a = f(z)``; ``backward(grad, a, scratch)`` replaces ``grad = dL/da``
    by ``dL/dz = grad * f'(z)``, where ``f'`` is written in terms of ``a`` so that ``z`` need not be kept.
    ``scratch`` has the shape and dtype of ``a``.
    """

    name: str
    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array, Array], Array]


def _relu(z: Array) -> Array:
    return np.maximum(z, 0, out=z)


def _relu_backward(grad: Array, a: Array, scratch: Array) -> Array:
    np.greater(a, 0, out=scratch, casting="unsafe")
    return np.multiply(grad, scratch, out=grad)


def _sigmoid(z: Array) -> Array:
    # 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2, which cannot overflow.
    np.multiply(z, 0.5, out=z)
    np.tanh(z, out=z)
    np.add(z, 1, out=z)
    return np.multiply(z, 0.5, out=z)


def _sigmoid_backward(grad: Array, a: Array, scratch: Array) -> Array:
    np.subtract(1, a, out=scratch)
    np.multiply(scratch, a, out=scratch)
    return np.multiply(grad, scratch, out=grad)


def _tanh(z: Array) -> Array:
    return np.tanh(z, out=z)


def _tanh_backward(grad: Array, a: Array, scratch: Array) -> Array:
    np.multiply(a, a, out=scratch)
    np.subtract(1, scratch, out=scratch)
    return np.multiply(grad, scratch, out=grad)


RELU = Activation("relu", _relu, _relu_backward)
"""``f(z) = max(0, z)``, ``f'(z) = [z > 0]`` (Nair and Hinton, 2010)."""
SIGMOID = Activation("sigmoid", _sigmoid, _sigmoid_backward)
"""``f(z) = 1 / (1 + exp(-z))``, ``f' = f (1 - f)``."""
TANH = Activation("tanh", _tanh, _tanh_backward)
"""``f(z) = tanh(z)``, ``f' = 1 - f**2``."""
LINEAR = Activation("linear", lambda z: z, lambda grad, a, scratch: grad)
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
