"""Batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers.layer import Block, Layer, Passes, Piece, Place, Shape, rows

Array = np.ndarray[Any, Any]

SCALE = {"gamma": Piece(np.s_[0, :]), "beta": Piece(np.s_[1, :])}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """``gamma (x - mean) / sqrt(var + eps) + beta``, over samples and places (Ioffe and Szegedy, 2015).

    In training mean and variance are the batch's, of each channel or flat feature. Otherwise they are the running ones:
    ``running = (1 - momentum) running + momentum seen`` at each update, with the variance times n / (n - 1). These are
    an untrained block of theta: methods do not see them. A gradient-free method has no training pass, so that for it
    they stay at mean 0 and variance 1.
    """

    noisy: ClassVar[bool] = True
    couples: ClassVar[bool] = True

    momentum: float = setting(0.1, "weight of a new batch in the running statistics", Range(0, 1))
    eps: float = setting(1e-5, "added to the variance", Range(0, above=True))

    def blocks(self, features: Shape) -> dict[str, Block]:
        shape = (2, features[0])
        running = {"mean": Piece(np.s_[0, :]), "variance": Piece(np.s_[1, :])}
        return {"": Block(shape, SCALE), "running": Block(shape, running, trained=False)}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        return {"gamma": np.ones(features[0]), "running/variance": np.ones(features[0])}

    def scratch(self, features: Shape) -> int:
        return prod(features)

    def bind(self, at: Place) -> Passes:
        channels, number = at.features[0], at.out.dtype.type
        x, out = rows(at.values, channels), rows(at.out, channels)
        gamma, beta = (at.theta[""][..., i, :, None] for i in (0, 1))
        if not at.training:
            return self._running(at, x, out, gamma, beta)
        count = x.shape[-1]
        share = number(1 / count)
        # Inputs that runs share have no run axis, and neither has what is computed from them alone.
        own, each = (*x.shape[:-1], 1), (*at.lead, channels, 1)
        mean, var, inverse = (at.take(name, own) for name in ("mean", "variance", "inverse"))
        hat = at.take("hat", x.shape)
        forward: list[Call] = [
            partial(np.add.reduce, x, -1, None, mean, True),
            partial(np.multiply, mean, share, mean),
            partial(np.subtract, x, mean, hat),
            partial(np.vecdot, hat, hat, var[..., 0]),
            partial(np.multiply, var, share, var),
            partial(np.add, var, number(self.eps), inverse),
            partial(np.sqrt, inverse, inverse),
            partial(np.divide, number(1), inverse, inverse),
            partial(np.multiply, hat, inverse, hat),
            partial(np.multiply, hat, gamma, out),
            partial(np.add, out, beta, out),
        ]
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        # The batch's statistics are stored in the running block's place of the gradient, which is kept for all
        # active runs.
        running, seen = at.theta["running"], at.gradient["running"]
        moved = at.take("moved", running.shape)
        update: list[Call] = [
            partial(np.multiply, seen, number(self.momentum), moved),
            partial(np.multiply, running, number(1 - self.momentum), running),
            partial(np.add, running, moved, running),
        ]
        dout = rows(at.dout, channels)
        dgamma, dbeta = (at.gradient[""][..., i, :] for i in (0, 1))
        backward: list[Call] = [
            partial(np.copyto, seen[..., 0, :], mean[..., 0]),
            partial(np.multiply, var[..., 0], number(count / max(count - 1, 1)), seen[..., 1, :]),
            partial(np.vecdot, dout, hat, dgamma),
            partial(np.add.reduce, dout, -1, None, dbeta),
        ]
        if at.dx is not None:
            dx, a, b = rows(at.dx, channels), at.take("a", each), at.take("b", each)
            backward += [
                partial(np.multiply, dgamma[..., None], share, a),
                partial(np.multiply, dbeta[..., None], share, b),
                partial(np.multiply, hat, a, dx),
                partial(np.subtract, dout, dx, dx),
                partial(np.subtract, dx, b, dx),
                partial(np.multiply, gamma, inverse, a),
                partial(np.multiply, dx, a, dx),
            ]
        return Passes(forward, backward, update)

    def _running(self, at: Place, x: Array, out: Array, gamma: Array, beta: Array) -> Passes:
        """With the running statistics, which are constants for the gradient."""
        number = out.dtype.type
        mean, var = (at.theta["running"][..., i, :, None] for i in (0, 1))
        each = (*at.lead, at.features[0], 1)
        inverse, scale = at.take("inverse", each), at.take("scale", each)
        forward: list[Call] = [
            partial(np.add, var, number(self.eps), inverse),
            partial(np.sqrt, inverse, inverse),
            partial(np.divide, number(1), inverse, inverse),
            partial(np.multiply, gamma, inverse, scale),
            partial(np.subtract, x, mean, out),
            partial(np.multiply, out, scale, out),
            partial(np.add, out, beta, out),
        ]
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        dout, gradient = rows(at.dout, at.features[0]), at.gradient
        hat = at.take("hat", out.shape)
        backward: list[Call] = [
            partial(gradient["running"].fill, 0),
            partial(np.add.reduce, dout, -1, None, gradient[""][..., 1, :]),
            partial(np.subtract, x, mean, hat),
            partial(np.multiply, hat, inverse, hat),
            partial(np.vecdot, dout, hat, gradient[""][..., 0, :]),
        ]
        if at.dx is not None:
            backward.append(partial(np.multiply, dout, scale, rows(at.dx, at.features[0])))
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        def column(name: str) -> Array:
            return arrays[name].reshape(-1, *(1 for _ in x.shape[1:]))

        scale = column("gamma") / np.sqrt(column("running/variance") + x.dtype.type(self.eps))
        return np.asarray(scale * (x - column("running/mean")) + column("beta"))
