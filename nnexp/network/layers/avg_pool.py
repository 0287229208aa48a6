"""The mean of each window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.network.layers.images import windows
from nnexp.network.layers.layer import Passes, Place, shaped
from nnexp.network.layers.pool import Pool

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class AvgPool(Pool):
    """The mean of each window."""

    def bind(self, at: Place) -> Passes:
        out, views = shaped(at.out, self.output(at.features)), self.views(at.x, at.features)
        share = out.dtype.type(1 / len(views))
        forward: list[Call] = [partial(np.copyto, out, views[0])]
        if len(views) > 1:
            forward = [partial(np.add, views[0], views[1], out)]
        forward += [partial(np.add, out, view, out) for view in views[2:]]
        forward.append(partial(np.multiply, out, share, out))
        if at.dx is None or at.dout is None:
            return Passes(forward)
        dout = shaped(at.dout, self.output(at.features))
        backward, targets, after = self.scatter(at)
        backward.append(partial(np.multiply, dout, share, dout))
        for target, calls in zip(targets, after, strict=True):
            backward += [partial(np.copyto, target, dout), *calls]
        return Passes(forward, backward)

    def apply(self, arrays: Mapping[str, Array], x: Array) -> Array:
        return np.asarray(np.mean(windows(x, self.size, self._stride, self.output(x.shape[:-1])[1:]), axis=0))
