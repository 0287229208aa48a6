"""Softmax: probabilities of classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Softmax(Activation):
    """``f(z)_c = exp(z_c - max z) / sum_k exp(z_k - max z)`` over the class axis -2 (Bridle, 1990)."""

    elementwise: ClassVar[bool] = False
    probabilities: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        return [partial(softmax, z, z)]

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return [partial(softmax_backward, grad, a)]


def softmax(z: Array, out: Array | None = None) -> Array:
    """Softmax of ``z``; ``out`` may be ``z`` itself, without it the result is a new array."""
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
