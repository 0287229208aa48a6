"""Flat features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from nnexp.network.layers.layer import Layer, Passes, Place, Shape

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Flatten(Layer):
    """Features in one row: a view, without a copy. Dense layers flatten their inputs themselves."""

    in_place: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def output(self, features: Shape) -> Shape:
        return (prod(features),)

    def bind(self, at: Place) -> Passes:
        return Passes([] if at.inside else [at.copy()])

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return x.reshape(-1, x.shape[-1])
