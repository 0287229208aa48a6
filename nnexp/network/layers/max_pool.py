"""The largest number of each window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.layers.images import windows
from nnexp.network.layers.layer import Passes, Place, shaped
from nnexp.network.layers.pool import Pool

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest number of each window; its gradient goes to the first such place."""

    reads_out: ClassVar[bool] = True

    def bind(self, at: Place) -> Passes:
        out, views = shaped(at.out, self.output(at.features)), self.views(at.x, at.features)
        forward: list[Call] = [partial(np.copyto, out, views[0])]
        if len(views) > 1:
            forward = [partial(np.maximum, views[0], views[1], out=out)]
        forward += [partial(np.maximum, out, view, out=out) for view in views[2:]]
        if at.dx is None or at.dout is None:
            return Passes(forward)
        # x - max is +0 at the largest and negative elsewhere. Its sign, spread over all bits, masks the gradient that
        # is left for later positions, so that only the first of equal numbers gets it. The last position gets the rest.
        whole = np.dtype(f"i{out.itemsize}")
        shift = whole.type(8 * out.itemsize - 1)
        left, other = shaped(at.dout, self.output(at.features)), at.take("scratch", out.shape)
        backward, targets, after = self.scatter(at)
        for view, pulled, calls in zip(views[:-1], targets, after, strict=False):
            bits = other.view(whole)
            backward += [
                partial(np.subtract, view, out, other),
                partial(np.right_shift, bits, shift, bits),
                partial(np.bitwise_and, left.view(whole), bits, bits),
                partial(np.bitwise_xor, left.view(whole), bits, pulled.view(whole)),
                *calls,
            ]
            left, other = other, left
        backward += [partial(np.copyto, targets[-1], left), *after[-1]]
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return np.maximum.reduce(windows(x, self.size, self._stride, self.output(x.shape[:-1])[1:]))
