"""One or two layers with given weights: forward and backward passes of the network's own code, one sample a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nnexp.calls import run
from nnexp.network.activations import Activation
from nnexp.network.network import Network, with_ones

Array = np.ndarray[Any, Any]


class Gradients(NamedTuple):
    """Gradients of a loss with respect to weights, biases and inputs, each of the same shape as these."""

    weights: Array
    biases: Array
    inputs: Array


def network(
    weights: Sequence[Any],
    biases: Sequence[Any],
    activation: Activation | str = "linear",
    output: Activation | str = "linear",
) -> tuple[Network, Array]:
    """A float64 network with the given layers, and the theta ``(P,)`` that holds them.

    Args:
        weights: ``(n_neurons, n_inputs)`` of each layer.
        biases: ``(n_neurons,)`` of each layer.

    Raises:
        ValueError: shapes that do not fit one another.
    """
    matrices = [np.asarray(matrix, np.float64) for matrix in weights]
    sizes = [matrices[0].shape[1], *(len(matrix) for matrix in matrices)]
    built = Network(sizes[0], sizes[1:-1], sizes[-1], activation, output, "float64")
    arrays = [array for pair in zip(matrices, biases, strict=True) for array in pair]
    return built, built.layout.join(dict(zip(built.layout.names, arrays, strict=True)))


def forward(
    weights: Sequence[Any],
    biases: Sequence[Any],
    inputs: Any,
    activation: Activation | str = "linear",
    output: Activation | str = "linear",
) -> Array:
    """Outputs ``(N, C)`` of the given layers for ``inputs (N, F)``.

    >>> forward([[[0.2, 0.8, -0.5]]], [[2]], [[1, 2, 3]])
    array([[2.3]])
    """
    built, theta = network(weights, biases, activation, output)
    return built.forward(theta, np.asarray(inputs, np.float64).T).T


def gradients(weights: Any, biases: Any, inputs: Any, dl_dz: Any) -> Gradients:
    """The gradients of one dense layer from ``dL/dZ (N, C)`` at ``inputs (N, F)``.

    ``dL/dW = dZ X^T`` has the shape ``(n_neurons, n_inputs)`` of W, ``dL/db = sum_n dz_n`` and
    ``dL/dX = W^T dZ``. The inputs are passed as the weights of a layer before, whose input is the identity matrix:
    their gradient is then that layer's.
    """
    x = np.asarray(inputs, np.float64)
    built, theta = network([x.T, weights], [np.zeros(x.shape[1]), biases])
    ones = with_ones(np.eye(len(x)))
    work = built.workspace(ones, gradient=True)
    work.theta[...] = theta
    run(work.forward)
    work.z[...] = np.asarray(dl_dz, np.float64).T
    run(work.backward)
    assert work.gradient is not None
    named = built.layout.named(work.gradient)
    return Gradients(named["dense_1/weights"], named["dense_1/biases"], named["dense_0/weights"].T)


def activate(activation: Activation | str, z: Any) -> Array:
    """``f(z)`` of an activation, for rows ``z (N, C)``: a layer with identity weights and no bias."""
    rows = np.asarray(z, np.float64)
    size = rows.shape[1]
    return forward([np.eye(size)], [np.zeros(size)], rows, output=activation)
