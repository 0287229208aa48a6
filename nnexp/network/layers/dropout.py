"""Dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.layers.layer import Layer, Passes, Place

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Dropout(Layer):
    """In training each number is zero with probability ``rate``, else scaled by ``1 / (1 - rate)``; else the identity.

    Masks are drawn from the stream ``dropout`` of each run, anew for each pass (Srivastava et al., 2014; scaled in
    training, "inverted").
    """

    in_place: ClassVar[bool] = True
    noisy: ClassVar[bool] = True

    rate: float = setting(0.5, "probability that a number is dropped", Range(0, 1, below=True))

    def scratch(self, features: tuple[int, ...]) -> int:
        return prod(features)

    def bind(self, at: Place) -> Passes:
        if not at.training or self.rate == 0:
            return Passes([] if at.inside else [at.copy()])
        number = at.out.dtype.type
        mask, keep = at.take("mask", at.out.shape), at.take("keep", at.out.shape, bool)
        rows = mask.reshape(len(at.draws), -1, mask.shape[-1])
        draw: list[Call] = [
            partial(rng.random, None, mask.dtype, row) for rng, row in zip(at.draws, rows, strict=True)
        ]
        forward: list[Call] = [
            *draw,
            partial(np.greater_equal, mask, number(self.rate), keep),
            partial(np.multiply, keep, number(1 / (1 - self.rate)), mask),
            partial(np.multiply, at.values, mask, at.out),
        ]
        if at.dx is None or at.dout is None:
            return Passes(forward)
        return Passes(forward, [partial(np.multiply, at.dout, mask, at.dout)])

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return x
