"""Residual blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError, setting
from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers import sequence
from nnexp.network.layers.layer import Block, Layer, Passes, Place, Shape

Array = np.ndarray[Any, Any]

SHORTCUT = "shortcut"


@dataclass(frozen=True)
class Residual(Layer):
    """``f(x) + g(x)``: ``f`` some layers, ``g`` a shortcut, which is x itself or other layers (He et al., 2016)."""

    layers: list[Layer] = setting([], "layers of the residual f, one or more")
    shortcut: list[Layer] = setting([], "layers of the shortcut g, where f changes the shape; none: x itself")

    def __post_init__(self) -> None:
        super().__post_init__()
        inner = [*self.layers, *self.shortcut]
        for name in ("noisy", "couples"):
            object.__setattr__(self, name, any(getattr(layer, name) for layer in inner))

    def output(self, features: Shape) -> Shape:
        if not self.layers:
            raise ConfigError(f"{self.name}.layers=[]: expected one layer or more")
        out = sequence.output(self.layers, features)
        if (beside := sequence.output(self.shortcut, features)) != out:
            raise ConfigError(
                f"{self.name}.layers: output shape {out}, the shortcut's is {beside}; expected equal shapes"
            )
        return out

    def blocks(self, features: Shape) -> dict[str, Block]:
        return sequence.blocks(self.layers, features) | {
            f"{SHORTCUT}/{name}": block for name, block in sequence.blocks(self.shortcut, features).items()
        }

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        return sequence.initial(self.layers, features, init, rng) | {
            f"{SHORTCUT}/{name}": array
            for name, array in sequence.initial(self.shortcut, features, init, rng).items()
        }

    def scratch(self, features: Shape) -> int:
        last = 2 * (prod(self.output(features)) + 1)
        return sequence.scratch(self.layers, features) + sequence.scratch(self.shortcut, features) + last

    def work(self, features: Shape) -> int:
        return sequence.work(self.layers, features) + sequence.work(self.shortcut, features)

    def bind(self, at: Place) -> Passes:
        back = at.gradient is not None and at.dout is not None
        if not back:
            at = at._replace(gradient=None, dout=None, dx=None)
        # The residual may overwrite its gradient, which the shortcut still needs.
        pulled = at.take("pulled", at.out.shape) if back else None
        result, residual = sequence.bind(self.layers, at, None, pulled)
        beside, shortcut, own_dx = self._shortcut(at)
        forward: list[Call] = [
            *residual.forward,
            *shortcut.forward,
            partial(np.add, beside, result, at.out),
        ]
        backward: list[Call] = []
        if pulled is not None and at.dout is not None:
            backward = [partial(np.copyto, pulled, at.dout), *residual.backward, *shortcut.backward]
            if at.dx is not None:
                backward.append(partial(np.add, at.dx, at.dout if own_dx is None else own_dx, at.dx))
        return Passes(forward, backward, [*residual.update, *shortcut.update])

    def _shortcut(self, at: Place) -> tuple[Array, Passes, Array | None]:
        """The shortcut's output, its calls, and the gradient of its input where that differs from the output's."""
        if not self.shortcut:
            return at.values, Passes([]), None

        def take(part: str, shape: Shape, dtype: Any = None) -> Array:
            return at.take(f"{SHORTCUT} {part}", shape, dtype)

        dx = None if at.dx is None else take("input grad", at.dx.shape)
        place = at._replace(
            theta=sequence.within(at.theta, SHORTCUT),
            gradient=None if at.gradient is None else sequence.within(at.gradient, SHORTCUT),
            take=take,
            dx=dx,
        )
        result, passes = sequence.bind(self.shortcut, place, None, at.dout)
        return result, passes, dx

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        features = x.shape[:-1]
        beside = sequence.apply(self.shortcut, features, sequence.within(arrays, SHORTCUT), x)
        return np.asarray(sequence.apply(self.layers, features, arrays, x) + beside)
