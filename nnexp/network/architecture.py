"""Architectures: the network that a run trains, and its initial weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import ConfigError, Each, Part, Range, setting
from nnexp.network.activations import Activation, ReLU, Softmax
from nnexp.network.initializers import He, Initializer, Normal
from nnexp.network.layers import Layer, Shape
from nnexp.network.layout import Layout
from nnexp.network.network import Network, as_shape

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Architecture(Part):
    """A network whose inputs and outputs follow from the dataset."""

    group: ClassVar[str] = "architecture"

    def network(
        self, features: int | Shape, outputs: int, dtype: str, accumulate: str | None = None
    ) -> Network:
        """The network for samples of the shape ``features``; an integer means flat features.

        Raises:
            ConfigError: settings that do not go together.
        """
        raise TypeError(f"{type(self).__name__} must define network()")

    def initial(self, network: Network, rng: np.random.Generator) -> Array:
        """The initial theta ``(P,)``, drawn from ``rng``."""
        raise TypeError(f"{type(self).__name__} must define initial()")


def ignored_in_key(value: Any) -> None:
    """The group key of settings that affect initial weights only: runs of a group may differ in them."""


@dataclass(frozen=True)
class MLP(Architecture):
    """Dense layers, one after another."""

    hidden: list[int] = setting([32, 32], "neurons of each hidden layer", Each(Range(1)))
    activation: Activation = setting(ReLU(), "activation of hidden layers")
    output: Activation = setting(Softmax(), "activation of the last layer")
    init: Initializer = setting(He(), "distribution of initial weights", per_run=ignored_in_key)
    init_scale: float | None = setting(
        None,
        "standard deviation of normal initial weights, which replace init",
        Range(0),
        per_run=ignored_in_key,
    )
    weights: list[Any] | None = setting(
        None, "given initial weights, (neurons, inputs) a layer; null: drawn", per_run=ignored_in_key
    )
    biases: list[Any] | None = setting(
        None, "given initial biases, (neurons) a layer; null: zeros", per_run=ignored_in_key
    )

    def network(
        self, features: int | Shape, outputs: int, dtype: str, accumulate: str | None = None
    ) -> Network:
        if not self.activation.elementwise:
            raise ConfigError(
                f"architecture.activation={self.activation.name}: expected an elementwise function; "
                f"{self.activation.name} is for architecture.output"
            )
        return Network(
            prod(as_shape(features)), self.hidden, outputs, self.activation, self.output, dtype, accumulate
        )

    def initial(self, network: Network, rng: np.random.Generator) -> Array:
        init = self.init if self.init_scale is None else Normal(self.init_scale)
        return self.given(network.layout, network.initial(rng, init))

    def given(self, layout: Layout, theta: Array) -> Array:
        """Theta with the drawn arrays replaced by those that the settings give.

        Raises:
            ConfigError: arrays that do not fit the network.
        """
        named = {name: np.array(view) for name, view in layout.named(theta).items()}
        for kind in ("weights", "biases"):
            layers = getattr(self, kind)
            if layers is None:
                continue
            if len(layers) != len(layout.blocks):
                raise ConfigError(
                    f"architecture.{kind}: {len(layers)} layers; expected {len(layout.blocks)}, those of the network"
                )
            for index, values in enumerate(layers):
                array = np.asarray(values, np.float64)
                if array.shape != named[f"dense_{index}/{kind}"].shape:
                    shape = named[f"dense_{index}/{kind}"].shape
                    raise ConfigError(f"architecture.{kind}[{index}]: shape {array.shape}; expected {shape}")
                named[f"dense_{index}/{kind}"] = array
        return layout.join(named, theta.dtype)


@dataclass(frozen=True)
class Layers(Architecture):
    """Any layers, one after another, then a dense layer with the dataset's outputs.

    Layers are options of ``architecture/layer`` and of ``architecture/activation``, or settings with a name:
    ``[{name: conv2d, channels: 8, padding: 1}, relu, max_pool]``.
    """

    layers: list[Layer] = setting([], "layers in order, without the last dense one")
    shape: list[int] | None = setting(
        None, "shape of a sample, such as [channels, height, width]; null: the dataset's", Each(Range(1))
    )
    output: Activation = setting(Softmax(), "activation of the last layer")
    init: Initializer = setting(He(), "distribution of initial weights", per_run=ignored_in_key)

    def network(
        self, features: int | Shape, outputs: int, dtype: str, accumulate: str | None = None
    ) -> Network:
        shape = as_shape(features if self.shape is None else self.shape)
        if prod(shape) != prod(as_shape(features)):
            raise ConfigError(
                f"architecture.shape={list(shape)}: {prod(shape)} features; expected {features}, those of the dataset"
            )
        return Network.of(self.layers, shape, outputs, self.output, dtype, accumulate)

    def initial(self, network: Network, rng: np.random.Generator) -> Array:
        return network.initial(rng, self.init)
