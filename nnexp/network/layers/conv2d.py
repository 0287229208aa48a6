"""Convolution: the patches of all samples as columns, and one product with ``[W b]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError, Range, setting
from nnexp.network.blas import skips_packing
from nnexp.network.initializers.initializer import Initializer
from nnexp.network.layers.dense import plain_product, product, weights_and_biases
from nnexp.network.layers.images import sides
from nnexp.network.layers.layer import Block, Layer, Passes, Place, Shape, rows, shaped

Array = np.ndarray[Any, Any]

SMALL_PRODUCT = 1_000_000
"""Multiplications of a product that OpenBLAS computes without packing its operands, with its AVX-512 kernels.

A convolution's product has few rows and very many columns: in pieces of as many multiplications it takes a half to a
fifth of the time. Which pieces depends on shapes alone, so that a run is the same alone and in a group.
"""


def pieces(rows: int, inner: int, places: int, samples: int) -> int:
    """In how many equal pieces of whole places the columns are multiplied."""
    if not skips_packing() or rows * inner * samples > SMALL_PRODUCT:
        return 1
    divisors = (count for count in range(1, places + 1) if places % count == 0)
    return next(n for n in divisors if rows * inner * samples * (places // n) <= SMALL_PRODUCT)


def spans(size: int, out: int, at: int, stride: int, padding: int) -> tuple[slice, slice]:
    """The outputs whose input at the kernel's offset ``at`` lies inside the image, and those inputs."""
    first = max(0, -((at - padding) // stride))
    last = min(out - 1, (size - 1 + padding - at) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + at - padding
    return slice(first, last + 1), slice(start, start + (last - first) * stride + 1, stride)


@dataclass(frozen=True)
class Conv2D(Layer):
    """``Z[o, h, w] = sum_{c, i, j} W[o, c, i, j] X[c, s h + d i - p, s w + d j - p] + b[o]`` (LeCun et al., 1989).

    s is the stride, d the dilation, p the padding with zeros. With groups, outputs depend on the inputs of their
    group alone. Images are ``(channels, height, width)``, W is ``(channels, inputs / groups, kernel, kernel)``.
    """

    option: ClassVar[str] = "conv2d"

    channels: int = setting(8, "output channels", Range(1))
    kernel: int = setting(3, "height and width of the kernel", Range(1))
    stride: int = setting(1, "pixels between two positions of the kernel", Range(1))
    padding: int = setting(0, "rows and columns of zeros on each side", Range(0))
    dilation: int = setting(1, "pixels between two elements of the kernel", Range(1))
    groups: int = setting(
        1, "groups of channels; outputs depend on the inputs of their group alone", Range(1)
    )

    def output(self, features: Shape) -> Shape:
        out = sides(self, features, self.dilation * (self.kernel - 1) + 1, self.stride, self.padding)
        if features[0] % self.groups or self.channels % self.groups:
            raise ConfigError(
                f"{self.name}.groups={self.groups}: expected a divisor of {features[0]}, the inputs, "
                f"and {self.channels}, the channels"
            )
        return (self.channels, *out)

    def _inner(self, features: Shape) -> int:
        """Inputs of one output."""
        return features[0] // self.groups * self.kernel**2

    def blocks(self, features: Shape) -> dict[str, Block]:
        shown = (self.channels, features[0] // self.groups, self.kernel, self.kernel)
        return {"": weights_and_biases(self.channels, self._inner(features), shown)}

    def initial(self, features: Shape, init: Initializer, rng: np.random.Generator) -> dict[str, Array]:
        inner, reached = self._inner(features), self.channels // self.groups * self.kernel**2
        drawn = init.draw((self.channels, inner), inner, reached, rng)
        return {"weights": drawn.reshape(self.channels, -1, self.kernel, self.kernel)}

    def scratch(self, features: Shape) -> int:
        return self.groups * (self._inner(features) + 1) * prod(self.output(features)[1:])

    def work(self, features: Shape) -> int:
        return self.channels * (self._inner(features) + 1) * prod(self.output(features)[1:])

    def bind(self, at: Place) -> Passes:
        inner, groups, samples = self._inner(at.features), self.groups, at.x.shape[-1]
        channels, high, wide = self.output(at.features)
        places = high * wide
        split = (groups, at.features[0] // groups, *at.features[1:])
        columns = at.take("columns", (*at.x.shape[:-2], groups, inner + 1, places * samples))
        columns[...] = 0
        columns[..., -1, :] = 1

        def patches(of: Array) -> Array:
            shape = (split[1], self.kernel, self.kernel, high, wide, samples)
            return of[..., :inner, :].reshape(*of.shape[:-2], *shape)

        cut, offsets, x = patches(columns), self._offsets(at.features, high, wide), shaped(at.x, split)
        forward: list[Call] = [partial(np.copyto, cut[to], x[inside]) for to, inside in offsets]
        count = pieces(channels // groups, inner + 1, places, samples)

        def cut_up(of: Array) -> Array:
            """``(..., groups, pieces, rows, columns of a piece)``."""
            return of.reshape(*of.shape[:-1], count, -1).swapaxes(-2, -3)

        def grouped(of: Array) -> Array:
            """``(..., groups, channels of one, columns)``."""
            return of.reshape(*of.shape[:-2], groups, -1, of.shape[-1])

        block = grouped(at.theta[""])[..., None, :, :]
        pieced = cut_up(columns)
        forward.append(product(block, pieced, cut_up(grouped(rows(at.out, channels))), at.wide))
        if at.gradient is None or at.dout is None:
            return Passes(forward)
        dout, gradient = cut_up(grouped(rows(at.dout, channels))), grouped(at.gradient[""])
        if count == 1:
            transposed = columns.swapaxes(-1, -2)
            backward = [plain_product(dout[..., 0, :, :], transposed, gradient, at.wide)]
        else:
            parts = at.take("parts", (*at.lead, groups, count, *gradient.shape[-2:]))
            backward = [
                plain_product(dout, pieced.swapaxes(-1, -2), parts, at.wide),
                partial(np.add.reduce, parts, -3, None, gradient),
            ]
        if at.dx is not None:
            weights = block[..., :-1].swapaxes(-1, -2)
            pulled = at.take("pulled", (*at.lead, groups, inner, places * samples))
            backward.append(plain_product(weights, dout, cut_up(pulled), at.wide))
            backward += _add_up(shaped(at.dx, split), patches(pulled), offsets)
        return Passes(forward, backward)

    def _offsets(self, features: Shape, high: int, wide: int) -> list[tuple[Any, Any]]:
        """For each element of the kernel, indices of its inputs in the patches and in the images."""
        offsets = []
        for i in range(self.kernel):
            for j in range(self.kernel):
                to_h, from_h = spans(features[1], high, self.dilation * i, self.stride, self.padding)
                to_w, from_w = spans(features[2], wide, self.dilation * j, self.stride, self.padding)
                if to_h.stop and to_w.stop:
                    offsets.append((np.s_[..., i, j, to_h, to_w, :], np.s_[..., from_h, from_w, :]))
        return offsets

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        _, high, wide = self.output(x.shape[:-1])
        p, s, d = self.padding, self.stride, self.dilation
        x = np.pad(x, ((0, 0), (p, p), (p, p), (0, 0)))
        weights, parts = arrays["weights"], []
        for own, images in zip(np.split(weights, self.groups), np.split(x, self.groups), strict=True):
            parts.append(
                sum(
                    np.einsum(
                        "oc,chwn->ohwn",
                        own[:, :, i, j],
                        images[:, d * i :: s, d * j :: s][:, :high, :wide],
                    )
                    for i in range(self.kernel)
                    for j in range(self.kernel)
                )
            )
        return np.asarray(np.concatenate(parts) + arrays["biases"][:, None, None, None])


def _add_up(dx: Array, pulled: Array, offsets: list[tuple[Any, Any]]) -> list[Call]:
    """Each input's gradient is the sum over the patches that it is in."""
    whole = [at for at, (_, inside) in enumerate(offsets) if dx[inside].shape == dx.shape]
    calls: list[Call] = [partial(dx.fill, 0)]
    if whole:
        calls = [partial(np.copyto, dx, pulled[offsets[whole[0]][0]])]
        offsets = [own for at, own in enumerate(offsets) if at != whole[0]]
    return calls + [partial(np.add, dx[inside], pulled[to], dx[inside]) for to, inside in offsets]
