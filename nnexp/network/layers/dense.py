"""Dense layers: one product with ``[W b]`` and the inputs above a row of ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers.layer import Block, Layer, Passes, Piece, Place, Shape

Array = np.ndarray[Any, Any]


def weights_and_biases(outputs: int, inputs: int, shape: Shape | None = None) -> Block:
    """A block ``[W b]`` of ``(outputs, inputs + 1)``; ``shape`` is the shape of W for the user."""
    pieces = {"weights": Piece(np.s_[:, :-1], shape), "biases": Piece(np.s_[:, -1])}
    return Block((outputs, inputs + 1), pieces)


def product(block: Array, x: Array, out: Array, wide: Any = None) -> Call:
    """``out = W X + b`` for ``block = [W b]`` and ``x`` with its row of ones."""
    if wide is None:
        return partial(np.matmul, block, x, out)

    def call() -> None:
        formed = np.matmul(block[..., :-1].astype(wide), x[..., :-1, :].astype(wide))
        np.add(formed.astype(out.dtype), block[..., -1:], out=out)

    return call


def plain_product(a: Array, b: Array, out: Array, wide: Any = None) -> Call:
    """``out = A B``."""
    if wide is None:
        return partial(np.matmul, a, b, out)

    def call() -> None:
        out[...] = np.matmul(a.astype(wide), b.astype(wide))

    return call


@dataclass(frozen=True)
class Dense(Layer):
    """``Z = W X + b``; ``dW = dZ X^T``, of W's shape, ``dX = W^T dZ`` (Rumelhart, Hinton and Williams, 1986)."""

    neurons: int = setting(64, "outputs", Range(1))

    def output(self, features: Shape) -> Shape:
        return (self.neurons,)

    def blocks(self, features: Shape) -> dict[str, Block]:
        return {"": weights_and_biases(self.neurons, prod(features))}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        fan_in = prod(features)
        return {"weights": init.draw((self.neurons, fan_in), fan_in, self.neurons, rng)}

    def bind(self, at: Place) -> Passes:
        block = at.theta[""]
        forward = [product(block, at.x, at.out, at.wide)]
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        backward = [plain_product(at.dout, at.x.swapaxes(-1, -2), at.gradient[""], at.wide)]
        if at.dx is not None:
            backward.append(plain_product(block[..., :-1].swapaxes(-1, -2), at.dout, at.dx, at.wide))
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return np.asarray(arrays["weights"] @ x.reshape(-1, x.shape[-1]) + arrays["biases"][:, None])
