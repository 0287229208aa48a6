"""Layers for tests: each by itself, random lists of them, images drawn at random, and the same networks in PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError, load_part, setting
from nnexp.data.dataset import Data, Dataset, Generators, Sizes, Split, frozen
from nnexp.losses import CrossEntropy
from nnexp.network.layers import Layer
from nnexp.network.network import Network
from nnexp.training.problem import Problem

CONV = {"name": "conv2d", "channels": 4, "padding": 1}
DENSE = {"name": "dense", "neurons": 5}

CASES: dict[str, tuple[tuple[int, ...], list[Any]]] = {
    "dense": ((4,), [DENSE]),
    **{
        name: ((4,), [DENSE, name, DENSE, name])
        for name in ("relu", "tanh", "sigmoid", "linear", "gelu", "silu", "softplus", "softmax")
    },
    "leaky_relu": ((4,), [DENSE, {"name": "leaky_relu", "slope": 0.2}, DENSE]),
    "elu": ((4,), [DENSE, {"name": "elu", "alpha": 0.7}, DENSE]),
    "dropout": ((4,), [DENSE, "tanh", {"name": "dropout", "rate": 0.3}, DENSE]),
    "dropout_of_inputs": ((4,), [{"name": "dropout", "rate": 0.3}, DENSE, "relu"]),
    "batch_norm": ((4,), [DENSE, "batch_norm", "relu", DENSE]),
    "batch_norm_of_inputs": ((4,), ["batch_norm", DENSE]),
    "batch_norm_of_channels": ((2, 5, 4), [CONV, "batch_norm", "relu", CONV]),
    "layer_norm": ((4,), [DENSE, "layer_norm", "relu", DENSE]),
    "layer_norm_of_inputs": ((2, 5, 4), ["layer_norm", CONV]),
    "conv2d": ((2, 5, 4), [CONV, "relu", CONV]),
    "conv2d_without_padding": ((3, 6, 5), [{"name": "conv2d", "channels": 3}]),
    "conv2d_strided": ((2, 7, 6), [CONV, {"name": "conv2d", "channels": 3, "stride": 2, "padding": 1}]),
    "conv2d_wide_padding": ((1, 3, 2), [CONV, {"name": "conv2d", "channels": 2, "kernel": 2, "padding": 3}]),
    "conv2d_dilated": ((2, 7, 8), [CONV, {"name": "conv2d", "channels": 3, "dilation": 2, "padding": 2}]),
    "conv2d_grouped": ((4, 5, 4), [CONV, {"name": "conv2d", "channels": 6, "groups": 2, "padding": 1}]),
    "conv2d_depthwise": ((4, 5, 4), [CONV, {"name": "conv2d", "channels": 4, "groups": 4, "stride": 2}]),
    "conv2d_of_one_pixel": ((3, 4, 4), [CONV, {"name": "conv2d", "channels": 3, "kernel": 1}]),
    "max_pool": ((2, 5, 4), [CONV, "max_pool", "relu"]),
    "max_pool_overlapping": ((2, 6, 5), [CONV, {"name": "max_pool", "size": 3, "stride": 1}]),
    "max_pool_with_gaps": ((2, 7, 5), [CONV, {"name": "max_pool", "size": 2, "stride": 3}]),
    "max_pool_of_inputs": ((2, 5, 4), ["max_pool", CONV]),
    "avg_pool": ((2, 5, 4), [CONV, "avg_pool", "tanh"]),
    "avg_pool_overlapping": ((2, 6, 5), [CONV, {"name": "avg_pool", "size": 3, "stride": 2}]),
    "global_avg_pool": ((2, 5, 4), [CONV, "global_avg_pool", "tanh"]),
    "global_max_pool": ((2, 5, 4), [CONV, "global_max_pool", DENSE]),
    "flatten": ((2, 5, 4), ["flatten", DENSE, "tanh", "flatten", {"name": "dropout", "rate": 0.3}]),
    "residual": ((5,), [DENSE, {"name": "residual", "layers": ["relu", DENSE, "tanh", DENSE]}, "relu"]),
    "residual_in_place": ((5,), [DENSE, {"name": "residual", "layers": ["tanh"]}, "relu", "relu"]),
    "residual_of_images": (
        (2, 4, 4),
        [CONV, {"name": "residual", "layers": ["batch_norm", "relu", CONV, "gelu"]}, "max_pool"],
    ),
    "residual_with_shortcut": (
        (2, 5, 4),
        [
            CONV,
            {
                "name": "residual",
                "layers": [
                    {"name": "conv2d", "channels": 3, "stride": 2, "padding": 1},
                    "batch_norm",
                    "relu",
                ],
                "shortcut": [{"name": "conv2d", "channels": 3, "kernel": 1, "stride": 2}],
            },
            "relu",
        ],
    ),
    "residual_of_inputs": ((5,), [{"name": "residual", "layers": [DENSE, "tanh"]}, DENSE]),
    "embedding": ((3,), [{"name": "embedding", "words": 6, "size": 4}, "global_avg_pool", DENSE]),
}

NOISY = ("dropout", "dropout_of_inputs", "flatten")


def built(specs: list[Any]) -> list[Layer]:
    """Layers as ``architecture.layers`` gives them."""
    return [load_part(f"architecture.layers[{at}]", spec, Layer) for at, spec in enumerate(specs)]


def inputs(features: tuple[int, ...], specs: list[Any], samples: int, rng: np.random.Generator) -> np.ndarray:
    """Flat inputs ``(F, N)``: numbers of words where these are looked up."""
    size = int(np.prod(features))
    if specs and isinstance(specs[0], dict) and specs[0]["name"] == "embedding":
        return rng.integers(0, specs[0]["words"], (size, samples)).astype(float)
    return rng.standard_normal((size, samples))


def problem(name: str, samples: int = 7, dtype: str = "float64", outputs: int = 3) -> Problem:
    features, specs = CASES[name]
    rng = np.random.default_rng(len(name))
    network = Network.of(built(specs), features, outputs, dtype=dtype)
    x = inputs(features, specs, samples, rng)
    return Problem(network, CrossEntropy(), Data(x, rng.integers(0, outputs, samples)))


def start(network: Network, seed: int = 1) -> np.ndarray:
    """Weights without zeros, variances above zero."""
    layout, rng = network.layout, np.random.default_rng(seed)
    named = {
        name: 0.5 + rng.random(view.shape) if "variance" in name else 0.6 * rng.standard_normal(view.shape)
        for name, view in layout.named(np.empty(layout.size)).items()
    }
    return layout.join(named, network.dtype)


@dataclass(frozen=True)
class Images(Dataset):
    """Images of random numbers; with ``own`` each seed has others."""

    channels: int = setting(1, "of the images")
    high: int = setting(4, "height")
    wide: int = setting(4, "width")
    samples: int = setting(9, "for training")
    tests: int = setting(5, "for test")
    own: bool = setting(True, "whether each seed has other images")

    def sizes(self) -> Sizes:
        return Sizes((self.channels, self.high, self.wide), 3, self.samples, test=self.tests)

    def load(self, draws: Generators, dtype: Any) -> Split:
        rng = draws["dataset"] if self.own else np.random.default_rng(0)

        def some(count: int) -> Data:
            x = rng.standard_normal((self.channels * self.high * self.wide, count))
            return frozen(x, rng.integers(0, 3, count), dtype)

        return Split(some(self.samples), test=some(self.tests))


@dataclass(frozen=True)
class Words(Dataset):
    """Numbers of words, three of them a sample."""

    def sizes(self) -> Sizes:
        return Sizes(3, 3, 12, test=6)

    def load(self, draws: Generators, dtype: Any) -> Split:
        def some(count: int) -> Data:
            rng = draws["dataset"]
            return frozen(rng.integers(0, 4, (3, count)), rng.integers(0, 3, count), dtype)

        return Split(some(12), test=some(6))


def random_layers(rng: np.random.Generator, features: tuple[int, ...], most: int = 6) -> list[Any]:
    """A list of layers that fit one another, as a conf file has it."""
    specs: list[Any] = []
    while len(specs) < int(rng.integers(1, most + 1)):
        spec = _random_layer(rng, features)
        try:
            features = built([spec])[0].output(features)
        except ConfigError:
            continue
        specs.append(spec)
    return specs


def _random_layer(rng: np.random.Generator, features: tuple[int, ...]) -> Any:
    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    anywhere: list[Any] = [
        *("relu", "tanh", "sigmoid", "gelu", "silu", "elu", "softplus", "leaky_relu", "linear", "flatten"),
        *("layer_norm", "batch_norm", {"name": "dropout", "rate": round(rng.random() * 0.8, 2)}),
        {"name": "dense", "neurons": number(1, 9)},
    ]
    kind = rng.random()
    if kind < 0.15:
        return {"name": "residual", "layers": random_layers(rng, features, 3)}
    if len(features) == 3 and kind < 0.7:
        groups = int(rng.choice([g for g in (1, 2, 3) if features[0] % g == 0]))
        images: list[Any] = [
            {"name": "conv2d", "channels": groups * number(1, 4), "kernel": number(1, 3), "stride": number(1, 2),
             "padding": number(0, 2), "dilation": number(1, 2), "groups": groups},
            {"name": "max_pool", "size": number(1, 3), "stride": number(1, 3)},
            {"name": "avg_pool", "size": number(1, 3), "stride": number(1, 3)},
            "max_pool", "global_avg_pool", "global_max_pool",
        ]  # fmt: skip
        return images[int(rng.choice(len(images), p=[0.5, 0.1, 0.1, 0.2, 0.05, 0.05]))]
    return anywhere[number(0, len(anywhere) - 1)]
