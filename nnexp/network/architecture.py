"""Architectures: what network a run trains, and where its weights begin."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import ConfigError, Each, Part, Range, setting
from nnexp.network.activations import Activation, ReLU, Softmax
from nnexp.network.layers import Shape
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
        """The network for samples of the shape ``features``; a number alone is that of flat ones.

        Raises:
            ConfigError: settings that do not go together.
        """
        raise TypeError(f"{type(self).__name__} has no network")

    def initial(self, network: Network, rng: np.random.Generator) -> Array:
        """The first theta ``(P,)``, drawn from ``rng``."""
        raise TypeError(f"{type(self).__name__} has no initial weights")


@dataclass(frozen=True)
class MLP(Architecture):
    """Dense layers, one after another."""

    hidden: list[int] = setting([3], "neurons of each hidden layer", Each(Range(1)))
    activation: Activation = setting(ReLU(), "of hidden layers")
    output: Activation = setting(Softmax(), "activation of the last layer")
    init_scale: float = setting(0.01, "standard deviation of the first weights", Range(0), per_run=True)
    weights: list[Any] | None = setting(
        None, "given first weights, (neurons, inputs) a layer; null draws", per_run=True
    )
    biases: list[Any] | None = setting(
        None, "given first biases, (neurons) a layer; null for zeros", per_run=True
    )

    def network(
        self, features: int | Shape, outputs: int, dtype: str, accumulate: str | None = None
    ) -> Network:
        if not self.activation.elementwise:
            raise ConfigError(
                f"architecture.activation={self.activation.name}: expected a function of each number alone; "
                f"{self.activation.name} is for architecture.output"
            )
        return Network(
            prod(as_shape(features)), self.hidden, outputs, self.activation, self.output, dtype, accumulate
        )

    def initial(self, network: Network, rng: np.random.Generator) -> Array:
        return self.given(network.layout, network.initial(rng, self.init_scale))

    def given(self, layout: Layout, theta: Array) -> Array:
        """Theta with the arrays that the settings give in place of drawn ones.

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
                    f"architecture.{kind}: {len(layers)} layers given, the network has {len(layout.blocks)}"
                )
            for index, values in enumerate(layers):
                array = np.asarray(values, np.float64)
                if array.shape != named[f"dense_{index}/{kind}"].shape:
                    shape = named[f"dense_{index}/{kind}"].shape
                    raise ConfigError(f"architecture.{kind}[{index}]: shape {array.shape}, expected {shape}")
                named[f"dense_{index}/{kind}"] = array
        return layout.join(named, theta.dtype)
