"""A feed-forward network on flat parameter vectors, feature-major, for any leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call, run
from nnexp.config.settings import load_part
from nnexp.network.activations import Activation
from nnexp.network.buffers import Memory, tiles
from nnexp.network.initializers import Initializer, Normal
from nnexp.network.layers import Dense, Layer, Passes, Place, Shape
from nnexp.network.layers.sequence import apply, bind, blocks, initial, scratch, work
from nnexp.network.layers.sequence import output as layers_output
from nnexp.network.layout import Layout

Array = np.ndarray[Any, Any]


def as_shape(features: int | Sequence[int]) -> Shape:
    """Features as a shape; an integer means flat features."""
    return (features,) if isinstance(features, int) else tuple(features)


def with_ones(x: Array) -> Array:
    """``x (..., F, N)`` above a row of ones: ``(..., F + 1, N)``, what a layer's ``[W b]`` multiplies."""
    return np.concatenate([x, np.ones_like(x[..., :1, :])], axis=-2)


class Workspace:
    """Buffers of one shape and the calls between them, made once: theta in, Z and the gradient out.

    Without gradient hidden layers are computed for one tile of networks after another, in one buffer, so that
    what a call writes is still in cache when the next one reads it.

    Attributes:
        theta: ``(*lead, P)``, written by the caller.
        z: the last layer's pre-activations ``(*lead, C, N)``, written by ``forward``.
        gradient: ``(*lead, P)``, written by ``backward`` for z holding dL/dZ; None if not asked for.
        update: calls to run with an update of theta.
    """

    def __init__(
        self,
        network: Network,
        x: Array,
        lead: tuple[int, ...],
        gradient: bool,
        memory: Memory,
        training: bool = False,
        draws: Sequence[np.random.Generator] = (),
        given: tuple[Array, Array] | None = None,
    ) -> None:
        layout, dtype, samples = network.layout, network.dtype, x.shape[-1]
        self._network, self._samples, self._memory = network, samples, memory
        self._training, self._draws = training, draws
        shape = (*lead, layout.size)
        self.theta = memory.take("theta", shape, dtype) if given is None else given[0]
        self.gradient: Array | None = None
        if gradient:
            self.gradient = memory.take("gradient", shape, dtype) if given is None else given[1]
        # With classes outermost, each operation on the outputs of all runs is one long loop. Not so where a
        # product has a vector, or a sum over classes only one sample: BLAS and NumPy then round
        # differently for other strides, and a run in a group would differ from the same run alone.
        below, classes = layout.sizes[-2:]
        if min(samples, below, classes) > 1:
            self.z = np.moveaxis(self._take("z", (classes, *lead, samples)), 0, -2)
        else:
            self.z = self._take("z", (*lead, classes, samples))
        self.forward: list[Call] = []
        self.backward: list[Call] = []
        self.update: list[Call] = []
        if self.gradient is not None:
            # Tiles would not help: all layers stay in memory until the backward pass.
            self.forward, self.backward, self.update = self._bind(x, ..., None)
            return
        each = network.scratch * samples * dtype.itemsize
        cache: dict[Any, Passes] = {}
        for tile in tiles(lead, each):
            own = x[tile] if x.ndim == self.z.ndim and len(x) == len(self.z) else x
            self.forward += self._bind(own, tile, cache).forward

    def _bind(self, x: Array, tile: Any, cache: dict[Any, Passes] | None) -> Passes:
        network, layout, z = self._network, self._network.layout, self.z[tile]
        theta, gradient = self.theta[tile], None if self.gradient is None else self.gradient[tile]
        at = Place(
            *(x, z, None, None, network.features, theta.shape[:-1]),
            *(layout.views(theta), None if gradient is None else layout.views(gradient), self._take),
            *(self._training, self._draws, network.wide),
        )
        return bind(network.layers, at, z, z, cache)[1]

    def _take(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Array:
        dtype = np.dtype(dtype or self._network.dtype)
        return self._memory.take((name, self._samples, dtype.char), shape, dtype)


class Network:
    """Layers one after another, the last of them dense, and the activation of the outputs.

    Dense layers are ``Z = W X + b``: ``W`` is ``(n_neurons, n_inputs)``, samples are columns. With
    ``accumulate="float64"`` products are computed in float64 and rounded to ``dtype`` before the bias is added, as
    under ``nnfs.init()``; without it products and bias are one BLAS call in ``dtype``.

    The network of ``Network(...)`` has dense layers alone, with one activation for the hidden ones; :meth:`of` takes
    any layers.

    Attributes:
        layers: all layers, including the dense one at the end.
        features: the shape of a sample's input.
        layout: of theta.
        noisy: whether the loss in training differs from the loss of theta.
        couples: whether, in training, a sample's output depends on the others of its batch.
        scratch: numbers a sample in the buffers of hidden layers.
        work: approximate multiplications of a sample's forward pass.

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
        between = load_part("architecture.activation", activation, Activation)
        layers = [layer for neurons in hidden for layer in (Dense(neurons), between)]
        self._set(layers, (n_inputs,), n_outputs, output, dtype, accumulate)

    @classmethod
    def of(
        cls,
        layers: Sequence[Layer],
        features: int | Shape,
        n_outputs: int,
        output: Activation | str = "softmax",
        dtype: str = "float32",
        accumulate: str | None = None,
    ) -> Network:
        """A network of any layers below a dense one of ``n_outputs`` neurons.

        Raises:
            ConfigError: a layer that does not take the output of the one before.
        """
        self = cls.__new__(cls)
        self._set(layers, as_shape(features), n_outputs, output, dtype, accumulate)
        below = prod(layers_output(layers, self.features))
        inputs = (prod(self.features),) if layers else ()
        self.layout = Layout((*inputs, below, n_outputs), blocks(self.layers, self.features))
        return self

    def _set(
        self,
        layers: Sequence[Layer],
        features: Shape,
        n_outputs: int,
        output: Activation | str,
        dtype: str,
        accumulate: str | None,
    ) -> None:
        self.layers, self.features = (*layers, Dense(n_outputs)), features
        self.output = load_part("architecture.output", output, Activation)
        self.dtype = np.dtype(dtype)
        self.wide = np.dtype(accumulate) if accumulate else None
        self.noisy = any(layer.noisy for layer in layers)
        self.couples = any(layer.couples for layer in layers)
        self.scratch = scratch(self.layers, features)
        self.work = work(self.layers, features)

    def workspace(
        self,
        x: Array,
        lead: tuple[int, ...] = (),
        gradient: bool = False,
        memory: Memory | None = None,
        training: bool = False,
        draws: Sequence[np.random.Generator] = (),
        given: tuple[Array, Array] | None = None,
    ) -> Workspace:
        """A workspace for thetas of leading shape ``lead`` on ``x``, flat inputs with their row of ones.

        Args:
            gradient: whether ``backward`` will be called.
            memory: to share with workspaces that are used in turns.
                    training: whether passes are those of training, as for dropout.
                    draws: a generator for each run, in training.
                    given: arrays for theta and gradient ``(*lead, P)``; None: new arrays.
        """
        return Workspace(self, x, lead, gradient, memory or Memory(), training, draws, given)

    def initial(self, rng: np.random.Generator, init: Initializer | float = 0.01) -> Array:
        """A theta ``(P,)`` drawn by the initializer; a number is the scale of normal weights."""
        init = init if isinstance(init, Initializer) else Normal(float(init))
        named = {
            name: np.zeros(view.shape) for name, view in self.layout.named(np.empty(self.layout.size)).items()
        }
        return self.layout.join(named | initial(self.layers, self.features, init, rng), self.dtype)

    def forward(self, theta: Array, x: Array) -> Array:
        """Outputs ``(..., C, N)`` of theta ``(..., P)`` on flat inputs ``x (..., F, N)``."""
        theta = np.asarray(theta, self.dtype)
        x = with_ones(np.asarray(x, self.dtype))
        work = self.workspace(x, np.broadcast_shapes(theta.shape[:-1], x.shape[:-2]))
        work.theta[...] = theta
        run(work.forward)
        return np.ascontiguousarray(self.output(work.z))

    def apply(self, theta: Array, x: Array) -> Array:
        """Outputs ``(C, N)`` of theta ``(P,)`` on flat inputs ``x (F, N)``, by the layers' plain formulas."""
        named = self.layout.named(np.asarray(theta, self.dtype))
        x = np.asarray(x, self.dtype).reshape(*self.features, -1)
        return self.output(apply(self.layers, self.features, named, x))
