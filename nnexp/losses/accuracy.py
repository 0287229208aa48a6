"""Accuracy, from intermediate results of softmax cross-entropy."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


class Accuracy:
    """Counts the samples whose first largest output is their class. ``z`` has each sample's maximum subtracted.

    Without ties and NaN these are the samples whose class has output zero. Else argmax is used for all, and the
    share of outputs with a NaN is NaN.

    Attributes:
        share: of the samples ``(...)``, written by the ``calls``.
    """

    def __init__(self, z: Array, to: Target, picked: Array) -> None:
        assert to.labels is not None
        self._z, self._labels, self._picked = z, to.labels, picked.reshape(-1)
        self._at_top, self._right = np.empty_like(z, bool), np.empty_like(z, bool)
        self._hit = np.empty(z[..., 0, :].shape, bool)
        self._samples: int = z.shape[-1]
        self._counts = np.empty(z.shape[:-2], np.intp)
        self.share = np.empty(z.shape[:-2])
        self.calls: list[Call] = [
            partial(np.equal, z, z.dtype.type(0), self._at_top),
            partial(np.logical_and, self._at_top, to.mask, self._right),
            self._count,
        ]

    def _count(self) -> None:
        samples = self._samples
        total = self._picked.dot(self._picked)
        # One maximum a sample means no ties, unless a sample with NaN, which has none, hides a tie.
        if np.count_nonzero(self._at_top) != self._hit.size or total != total:
            hit = self._z.argmax(axis=-2) == self._labels
            np.divide(np.add.reduce(hit, -1, np.intp, out=self._counts), samples, self.share)
            self.share[np.isnan(self._z).any(axis=(-2, -1))] = np.nan
            return
        if self._hit.size == samples:
            self.share[...] = np.count_nonzero(self._right) / samples
            return
        hit = np.logical_or.reduce(self._right, -2, out=self._hit)
        np.divide(np.add.reduce(hit, -1, np.intp, out=self._counts), samples, self.share)
