"""A dense feed-forward network on flat parameter vectors, feature-major, for any leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from nnexp.calls import Call, run
from nnexp.config.settings import load_part
from nnexp.network.activations import Activation
from nnexp.network.buffers import Memory, tiles
from nnexp.network.layout import Layout

Array = np.ndarray[Any, Any]


def with_ones(x: Array) -> Array:
    """``x (..., F, N)`` above a row of ones: ``(..., F + 1, N)``, what a layer's ``[W b]`` multiplies."""
    return np.concatenate([x, np.ones_like(x[..., :1, :])], axis=-2)


class Workspace:
    """Buffers of one shape and the calls between them, made once: theta in, Z and the gradient out.

    Without gradient hidden layers are computed for a tile of networks after another, in one buffer, so that
    what a call writes is still in cache when the next one reads it.

    Attributes:
        theta: ``(*lead, P)``, written by the caller.
        z: the last layer's pre-activations ``(*lead, C, N)``, written by ``forward``.
        gradient: ``(*lead, P)``, written by ``backward`` for z holding dL/dZ; None if not asked for.
    """

    def __init__(
        self, network: Network, x: Array, lead: tuple[int, ...], gradient: bool, memory: Memory
    ) -> None:
        layout, dtype, samples = network.layout, network.dtype, x.shape[-1]
        self._network, self._x, self._samples, self._memory = network, x, samples, memory
        self.theta = memory.take("theta", (*lead, layout.size), dtype)
        # With classes outermost, each operation on the outputs of all runs is one long loop. Not so where a
        # product has a vector, or a sum over classes only one sample: BLAS and NumPy then round
        # differently for other strides, and a run would not be what it is alone.
        classes = layout.sizes[-1]
        if min(samples, *layout.sizes[-2:]) > 1:
            self.z = np.moveaxis(self._take("z", (classes, *lead, samples)), 0, -2)
        else:
            self.z = self._take("z", (*lead, classes, samples))
        self.gradient = memory.take("gradient", (*lead, layout.size), dtype) if gradient else None
        self._layers = layout.layers(self.theta)
        self._activate: dict[Any, list[Call]] = {}
        self.forward: list[Call] = []
        self.backward: list[Call] = []
        if self.gradient is not None:
            # Tiles would gain nothing: the layers stay until the way back.
            kept = [x, *self._hidden(lead)]
            self.forward = self._up(..., kept)
            self.backward = self._down(self.gradient, kept)
            return
        each = sum(width + 1 for width in layout.sizes[1:-1]) * samples * dtype.itemsize
        for tile in tiles(lead, each):
            own = x[tile] if x.ndim == self.z.ndim and len(x) == len(self.z) else x
            self.forward += self._up(tile, [own, *self._hidden(self.theta[tile].shape[:-1])])

    def _take(self, name: str, shape: tuple[int, ...]) -> Array:
        return self._memory.take((name, self._samples), shape, self._network.dtype)

    def _hidden(self, lead: tuple[int, ...]) -> list[Array]:
        """Buffers of the hidden layers, each above a row of ones."""
        widths = self._network.layout.sizes[1:-1]
        hidden = [
            self._take(f"hidden {layer}", (*lead, width + 1, self._samples))
            for layer, width in enumerate(widths)
        ]
        for buffer in hidden:
            buffer[..., -1, :] = 1
        return hidden

    def _up(self, tile: Any, hidden: list[Array]) -> list[Call]:
        """From the inputs, which come first, to ``z``."""
        network, layers = self._network, [block[tile] for block in self._layers]
        calls: list[Call] = []
        for layer, (below, above) in enumerate(pairwise(hidden)):
            calls.append(network.product(layers[layer], below, above[..., :-1, :]))
            # Tiles of one shape have one buffer, and so the same calls.
            if (layer, above.shape) not in self._activate:
                # With their row of ones, if that stays, activations are one long loop.
                whole = above if network.activation.keeps_one else above[..., :-1, :]
                self._activate[layer, above.shape] = network.activation.forward(whole)
            calls += self._activate[layer, above.shape]
        return [*calls, network.product(layers[-1], hidden[-1], self.z[tile])]

    def _down(self, gradient: Array, hidden: list[Array]) -> list[Call]:
        """From dL/dZ to the gradient."""
        network, layers, dz = self._network, self._layers, self.z
        pulled = network.layout.layers(gradient)
        calls: list[Call] = []
        for layer in range(len(layers) - 1, -1, -1):
            below = hidden[layer]
            calls.append(network.plain_product(dz, below.swapaxes(-1, -2), pulled[layer]))
            if layer:
                a = below[..., :-1, :]
                grad, scratch = (self._take(f"{name} {layer}", a.shape) for name in ("grad", "scratch"))
                weights = layers[layer][..., :-1].swapaxes(-1, -2)
                calls.append(network.plain_product(weights, dz, grad))
                calls += network.activation.backward(grad, a, scratch)
                dz = grad
        return calls


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
        activation: Activation | str = "relu",
        output: Activation | str = "softmax",
        dtype: str = "float32",
        accumulate: str | None = None,
    ) -> None:
        self.layout = Layout((n_inputs, *hidden, n_outputs))
        self.activation = load_part("architecture.activation", activation, Activation)
        self.output = load_part("architecture.output", output, Activation)
        self.dtype = np.dtype(dtype)
        self.wide = np.dtype(accumulate) if accumulate else None

    def workspace(
        self, x: Array, lead: tuple[int, ...] = (), gradient: bool = False, memory: Memory | None = None
    ) -> Workspace:
        """A workspace for thetas of leading shape ``lead`` on ``x``, inputs with their row of ones.

        Args:
            gradient: whether ``backward`` will be called.
            memory: to share with workspaces that are used in turns.
        """
        return Workspace(self, x, lead, gradient, memory or Memory())

    def initial(self, rng: np.random.Generator, scale: float = 0.01) -> Array:
        """A theta ``(P,)`` with weights ``scale * N(0, 1)`` and zero biases."""
        named = {
            name: np.zeros(view.shape) if name.endswith("biases") else scale * rng.standard_normal(view.shape)
            for name, view in self.layout.named(np.empty(self.layout.size)).items()
        }
        return self.layout.join(named, self.dtype)

    def product(self, block: Array, x: Array, out: Array) -> Call:
        """``out = W X + b`` for ``block = [W b]`` and ``x`` with its row of ones."""
        if self.wide is None:
            return partial(np.matmul, block, x, out)

        def call() -> None:
            wide = np.matmul(block[..., :-1].astype(self.wide), x[..., :-1, :].astype(self.wide))
            np.add(wide.astype(self.dtype), block[..., -1:], out=out)

        return call

    def plain_product(self, a: Array, b: Array, out: Array) -> Call:
        """``out = A B``: ``dW = dZ X^T``, of W's shape, and ``dX = W^T dZ`` (Rumelhart, Hinton and Williams, 1986)."""
        if self.wide is None:
            return partial(np.matmul, a, b, out)

        def call() -> None:
            out[...] = np.matmul(a.astype(self.wide), b.astype(self.wide))

        return call

    def forward(self, theta: Array, x: Array) -> Array:
        """Outputs ``(..., C, N)`` of theta ``(..., P)`` on inputs ``x (..., F, N)``."""
        theta = np.asarray(theta, self.dtype)
        x = with_ones(np.asarray(x, self.dtype))
        work = self.workspace(x, np.broadcast_shapes(theta.shape[:-1], x.shape[:-2]))
        work.theta[...] = theta
        run(work.forward)
        return np.ascontiguousarray(self.output(work.z))
