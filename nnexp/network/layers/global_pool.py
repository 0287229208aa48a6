"""One number of each whole channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.network.layers.images import need_images
from nnexp.network.layers.layer import Layer, Passes, Place, Shape

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _GlobalPool(Layer):
    def output(self, features: Shape) -> Shape:
        need_images(self, features)
        return (features[0],)

    @staticmethod
    def channels(flat: Array, features: Shape) -> Array:
        """A view ``(..., C, H W, N)`` of flat features ``(..., F, N)``."""
        return flat.reshape(*flat.shape[:-2], features[0], -1, flat.shape[-1])

    def reduced(self, at: Place, reduce: Any) -> list[Call]:
        """The calls that reduce each channel."""
        x = self.channels(at.values, at.features)
        if x.ndim - 1 == at.out.ndim and x.shape[:-2] == at.out.shape[:-1]:
            return [partial(reduce, x, -2, None, at.out)]
        # Inputs that runs share have no run axis.
        own = at.take("own", (*x.shape[:-2], x.shape[-1]))
        return [partial(reduce, x, -2, None, own), partial(np.copyto, at.out, own)]


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel (Lin, Chen and Yan, 2014)."""

    def bind(self, at: Place) -> Passes:
        share = at.out.dtype.type(1 / prod(at.features[1:]))
        forward: list[Call] = [*self.reduced(at, np.add.reduce), partial(np.multiply, at.out, share, at.out)]
        if at.dx is None or at.dout is None:
            return Passes(forward)
        backward: list[Call] = [
            partial(np.multiply, at.dout, share, at.dout),
            partial(np.copyto, self.channels(at.dx, at.features), at.dout[..., None, :]),
        ]
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return np.asarray(x.mean(axis=(1, 2)))


@dataclass(frozen=True)
class GlobalMaxPool(_GlobalPool):
    """The largest number of each channel; its gradient goes to the first such place."""

    def bind(self, at: Place) -> Passes:
        x, dout = self.channels(at.values, at.features), at.dout
        forward = self.reduced(at, np.maximum.reduce)
        if at.dx is None or dout is None:
            return Passes(forward)
        dx = self.channels(at.dx, at.features)
        first = at.take("first", dout.shape, np.intp)
        backward: list[Call] = [
            partial(dx.fill, 0),
            partial(np.argmax, x, -2, first),
            partial(np.put_along_axis, dx, first[..., None, :], dout[..., None, :], -2),
        ]
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return np.asarray(x.max(axis=(1, 2)))
