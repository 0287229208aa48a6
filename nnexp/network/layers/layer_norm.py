"""Layer normalisation."""

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
from nnexp.network.layers.batch_norm import SCALE
from nnexp.network.layers.layer import Block, Layer, Passes, Place, Shape

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LayerNorm(Layer):
    """``gamma (x - mean) / sqrt(var + eps) + beta``, over all features of a sample (Ba, Kiros and Hinton, 2016)."""

    eps: float = setting(1e-5, "added to the variance", Range(0, above=True))

    def blocks(self, features: Shape) -> dict[str, Block]:
        return {"": Block((2, prod(features)), SCALE)}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        return {"gamma": np.ones(prod(features))}

    def scratch(self, features: Shape) -> int:
        return 2 * prod(features)

    def bind(self, at: Place) -> Passes:
        x, out, number = at.values, at.out, at.out.dtype.type
        count, samples = x.shape[-2:]
        gamma, beta = (at.theta[""][..., i, :, None] for i in (0, 1))
        # Inputs that runs share have no run axis, and neither has what is computed from them alone.
        own, each, share = (*x.shape[:-2], 1, samples), (*at.lead, 1, samples), number(1 / count)
        mean, inverse = at.take("mean", own), at.take("inverse", own)
        hat, squares = at.take("hat", x.shape), at.take("squares", x.shape)
        forward: list[Call] = [
            partial(np.add.reduce, x, -2, None, mean, True),
            partial(np.multiply, mean, share, mean),
            partial(np.subtract, x, mean, hat),
            partial(np.multiply, hat, hat, squares),
            partial(np.add.reduce, squares, -2, None, inverse, True),
            partial(np.multiply, inverse, share, inverse),
            partial(np.add, inverse, number(self.eps), inverse),
            partial(np.sqrt, inverse, inverse),
            partial(np.divide, number(1), inverse, inverse),
            partial(np.multiply, hat, inverse, hat),
            partial(np.multiply, hat, gamma, out),
            partial(np.add, out, beta, out),
        ]
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        dgamma, dbeta = (at.gradient[""][..., i, :] for i in (0, 1))
        backward: list[Call] = [
            partial(np.vecdot, at.dout, hat, dgamma),
            partial(np.add.reduce, at.dout, -1, None, dbeta),
        ]
        if at.dx is not None:
            dx, a, scratch = at.dx, at.take("a", each), at.take("scratch", out.shape)
            backward += [
                partial(np.multiply, at.dout, gamma, dx),
                partial(np.multiply, dx, hat, scratch),
                partial(np.add.reduce, scratch, -2, None, a, True),
                partial(np.multiply, a, share, a),
                partial(np.multiply, hat, a, scratch),
                partial(np.add.reduce, dx, -2, None, a, True),
                partial(np.multiply, a, share, a),
                partial(np.subtract, dx, a, dx),
                partial(np.subtract, dx, scratch, dx),
                partial(np.multiply, dx, inverse, dx),
            ]
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        flat = x.reshape(-1, x.shape[-1])
        hat = (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + x.dtype.type(self.eps))
        out = arrays["gamma"][:, None] * hat + arrays["beta"][:, None]
        return np.asarray(out.reshape(x.shape))
