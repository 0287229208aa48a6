"""The base class of pooling layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.network.layers.images import sides, windows
from nnexp.network.layers.layer import Layer, Place, Shape, shaped

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pool(Layer):
    """Windows over images; pixels that are left over at the right and at the bottom are ignored."""

    size: int = setting(2, "height and width of a window", Range(1))
    stride: int | None = setting(None, "pixels between two windows; null: size", Range(1))

    def output(self, features: Shape) -> Shape:
        return (features[0], *sides(self, features, self.size, self._stride))

    @property
    def _stride(self) -> int:
        return self.size if self.stride is None else self.stride

    def views(self, flat: Array, features: Shape) -> list[Array]:
        """One view of the images for each position in the window."""
        out = self.output(features)[1:]
        return windows(shaped(flat, features), self.size, self._stride, out)

    def scatter(self, at: Place) -> tuple[list[Call], list[Array], list[list[Call]]]:
        """For the backward pass: calls before it, targets to write for each position in the window, calls after each.

        Windows that do not overlap are written in place. The gradients of others are summed.
        """
        assert at.dx is not None
        targets, dx = self.views(at.dx, at.features), shaped(at.dx, at.features)
        if self._stride >= self.size:
            seen = sum(target[..., 0, :, :, :1].size for target in targets)
            before: list[Call] = [] if seen == dx[..., 0, :, :, :1].size else [partial(at.dx.fill, 0)]
            return before, targets, [[] for _ in targets]
        pulled = at.take("pulled", (*at.lead, *self.output(at.features), at.x.shape[-1]))
        adding: list[list[Call]] = [[partial(np.add, target, pulled, target)] for target in targets]
        return [partial(at.dx.fill, 0)], [pulled] * len(targets), adding
