"""A dense feed-forward network on flat parameter vectors, feature-major, for any leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from nnexp.activations import ACTIVATIONS, softmax
from nnexp.layout import Layout

Array = np.ndarray[Any, Any]


def with_ones(x: Array) -> Array:
    """``x (..., F, N)`` above a row of ones: ``(..., F + 1, N)``, what a layer's ``[W b]`` multiplies."""
    return np.concatenate([x, np.ones_like(x[..., :1, :])], axis=-2)


class Workspace:
    """Buffers of one shape, made once: activations, their gradients, and the parameters' gradient.

    Args:
        lead: leading axes of theta (runs, candidates).
        samples: N.
        gradient: whether :meth:`Network.backward` will be called.
    """

    def __init__(
        self, layout: Layout, lead: tuple[int, ...], samples: int, dtype: Any, gradient: bool
    ) -> None:
        self.layout = layout
        self.layers: list[Array] = []  # views of the theta that was last forwarded
        self.hidden: list[Array] = []
        for n_out, _ in layout.blocks[:-1]:
            buffer = np.empty((*lead, n_out + 1, samples), dtype)
            buffer[..., -1, :] = 1
            self.hidden.append(buffer)
        self.z = np.empty((*lead, layout.sizes[-1], samples), dtype)
        self.grads = [np.empty_like(buffer[..., :-1, :]) for buffer in self.hidden] if gradient else []
        self.scratch = [np.empty_like(buffer) for buffer in self.grads]
        self.gradient = np.empty((*lead, layout.size), dtype) if gradient else None
        self.gradient_layers = [] if self.gradient is None else layout.layers(self.gradient)

    def first(self, count: int) -> Workspace:
        """The same buffers, for the first ``count`` of the last leading axis."""
        part = copy(self)
        part.hidden, part.grads, part.scratch = (
            [buffer[..., :count, :, :] for buffer in buffers]
            for buffers in (self.hidden, self.grads, self.scratch)
        )
        part.z = self.z[..., :count, :, :]
        if self.gradient is not None:
            part.gradient = self.gradient[..., :count, :]
            part.gradient_layers = self.layout.layers(part.gradient)
        return part


class Network:
    """Dense layers ``Z = W X + b`` with one activation for the hidden layers and one for the outputs.

    ``W`` is ``(n_neurons, n_inputs)``, samples are columns. With ``accumulate="float64"`` products are
    formed in float64, rounded to ``dtype`` and only then is the bias added, as code under ``nnfs.init()``
    rounds; without it products and bias are one BLAS call in ``dtype``.

    Raises:
        ValueError: a layer without neurons, or an unknown activation.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Sequence[int],
        n_outputs: int,
        activation: str = "relu",
        output: str = "softmax",
        dtype: str = "float32",
        accumulate: str | None = None,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation={activation}: expected one of {', '.join(ACTIVATIONS)}")
        if output not in (*ACTIVATIONS, "softmax"):
            raise ValueError(f"output={output}: expected one of {', '.join([*ACTIVATIONS, 'softmax'])}")
        self.layout = Layout((n_inputs, *hidden, n_outputs))
        self.activation = ACTIVATIONS[activation]
        self.output = output
        self.dtype = np.dtype(dtype)
        self.wide = np.dtype(accumulate) if accumulate else None

    def workspace(self, lead: tuple[int, ...], samples: int, gradient: bool = False) -> Workspace:
        """Buffers for thetas of leading shape ``lead`` on ``samples`` samples."""
        return Workspace(self.layout, lead, samples, self.dtype, gradient)

    def initial(self, rng: np.random.Generator, scale: float = 0.01) -> Array:
        """A theta ``(P,)`` with weights ``scale * N(0, 1)`` and zero biases."""
        named = {
            name: np.zeros(view.shape) if name.endswith("biases") else scale * rng.standard_normal(view.shape)
            for name, view in self.layout.named(np.empty(self.layout.size)).items()
        }
        return self.layout.join(named, self.dtype)

    def _product(self, block: Array, x: Array, out: Array) -> Array:
        if self.wide is None:
            return np.matmul(block, x, out=out)
        wide = np.matmul(block[..., :-1].astype(self.wide), x[..., :-1, :].astype(self.wide))
        return np.add(wide.astype(self.dtype), block[..., -1:], out=out)

    def preactivations(self, theta: Array, x: Array, work: Workspace) -> Array:
        """The last layer's ``Z (..., C, N)`` for inputs ``x`` with their row of ones, in ``work.z``."""
        layers = work.layers = self.layout.layers(theta)
        for block, buffer in zip(layers[:-1], work.hidden, strict=True):
            self.activation.forward(self._product(block, x, buffer[..., :-1, :]))
            x = buffer
        return self._product(layers[-1], x, work.z)

    def backward(self, x: Array, work: Workspace) -> Array:
        """The gradient ``(..., P)`` for ``work.z`` holding dL/dZ: ``dW = dZ X^T``, ``dX = W^T dZ``.

        It follows :meth:`preactivations` with the same inputs and workspace, and is ``work``'s own buffer: the next
        call overwrites it. ``dW`` has the shape of ``W`` (Rumelhart, Hinton and Williams, 1986).
        """
        assert work.gradient is not None
        layers, dz = work.layers, work.z
        for index in range(len(layers) - 1, -1, -1):
            below = work.hidden[index - 1] if index else x
            self._pull(dz, below, work.gradient_layers[index])
            if index:
                grad = work.grads[index - 1]
                weights = layers[index][..., :-1].swapaxes(-1, -2)
                if self.wide is None:
                    np.matmul(weights, dz, out=grad)
                else:
                    grad[...] = np.matmul(weights.astype(self.wide), dz.astype(self.wide))
                dz = self.activation.backward(grad, below[..., :-1, :], work.scratch[index - 1])
        return work.gradient

    def _pull(self, dz: Array, x: Array, out: Array) -> None:
        if self.wide is None:
            np.matmul(dz, x.swapaxes(-1, -2), out=out)
        else:
            out[...] = np.matmul(dz.astype(self.wide), x.astype(self.wide).swapaxes(-1, -2))

    def forward(self, theta: Array, x: Array) -> Array:
        """Outputs ``(..., C, N)`` of theta ``(..., P)`` on inputs ``x (..., F, N)``."""
        theta = np.asarray(theta, self.dtype)
        x = with_ones(np.asarray(x, self.dtype))
        lead = np.broadcast_shapes(theta.shape[:-1], x.shape[:-2])
        z = self.preactivations(theta, x, self.workspace(lead, x.shape[-1]))
        return softmax(z, out=z) if self.output == "softmax" else ACTIVATIONS[self.output].forward(z)
