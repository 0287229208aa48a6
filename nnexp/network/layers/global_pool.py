"""One number of each whole channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True)
class GlobalAvgPool(_GlobalPool):
    """The mean of each channel (Lin, Chen and Yan, 2014)."""

    def bind(self, at: Place) -> Passes:
        x = self.channels(at.values, at.features)
        share = x.dtype.type(1 / x.shape[-2])
        forward: list[Call] = [
            partial(np.add.reduce, x, -2, None, at.out),
            partial(np.multiply, at.out, share, at.out),
        ]
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
        forward: list[Call] = [partial(np.maximum.reduce, x, -2, None, at.out)]
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
