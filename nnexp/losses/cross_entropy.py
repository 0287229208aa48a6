"""Categorical cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError, Each, Range, setting
from nnexp.losses.accuracy import Accuracy
from nnexp.losses.loss import Loss, Measure, mean
from nnexp.losses.targets import Target
from nnexp.network.activations import Activation, Softmax

Array = np.ndarray[Any, Any]

SMALLEST = 1e-7
"""The default clip of outputs other than softmax, as in the notebook."""


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Mean negative log probability of the true class, for classes and one-hot targets.

    After softmax and without ``clip`` both are computed together, stable for any finite ``z``:
    ``L = mean_n(log sum_c exp z_cn - z_yn)`` and ``dL/dz = (softmax(z) - one_hot(y)) / N``
    (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108-109).

    With ``label_smoothing`` s targets are ``t (1 - s) + s / C`` (Szegedy et al., 2016); with ``class_weights`` the
    mean is weighted by those of the samples' classes. Both are for softmax without ``clip``.

    With ``clip``: ``L = -mean_n log(sum_c t_cn min(max(a_cn, clip), 1 - clip))``, whose gradient is zero where the
    probability is clipped.
    """

    probabilities = True

    clip: float | None = setting(
        None, "clips probabilities to [clip, 1 - clip]", Range(0, 0.5, above=True, below=True)
    )
    label_smoothing: float = setting(
        0.0, "share of a target that is spread over all classes", Range(0, 1, below=True)
    )
    class_weights: list[float] | None = setting(
        None, "a weight for the samples of each class; null: equal weights", Each(Range(0))
    )

    def check(self, output: Activation, outputs: int = 2) -> None:
        if outputs < 2:
            raise ConfigError(
                f"loss={self.name} of one output: expected two outputs or more; "
                "loss=binary_cross_entropy is for one sigmoid output"
            )
        if not output.probabilities:
            raise ConfigError(
                f"loss={self.name} after output={output.name}: expected softmax or sigmoid outputs"
            )
        plain = not self.label_smoothing and self.class_weights is None
        if not plain and (self.clip is not None or not isinstance(output, Softmax)):
            raise ConfigError(
                f"loss.label_smoothing={self.label_smoothing}, loss.class_weights: expected softmax outputs "
                "and loss.clip=null"
            )
        if self.class_weights is not None and len(self.class_weights) != outputs:
            raise ConfigError(
                f"loss.class_weights={self.class_weights}: expected {outputs} weights, one a class"
            )

    def bind(self, z: Array, to: Target, output: Activation) -> Measure:
        if not isinstance(output, Softmax) or self.clip is not None:
            return super().bind(z, to, output)
        if self.label_smoothing or self.class_weights is not None:
            return _Weighted(self, z, to)
        return _Fused(z, to)

    def _clipped(self, a: Array) -> Array:
        # NumPy rounds the bounds, Python numbers, to the array's dtype.
        clip = SMALLEST if self.clip is None else self.clip
        return np.clip(a, clip, 1 - clip)

    def value(self, a: Array, to: Target) -> Array:
        picked = np.add.reduce(self._clipped(a) * to.values, axis=-2)
        return mean(-np.log(picked))

    def gradient(self, a: Array, to: Target) -> Array:
        kept = self._clipped(a)
        picked = np.add.reduce(kept * to.values, axis=-2, keepdims=True)
        return np.where(kept == a, -to.scaled / picked, a.dtype.type(0))


class _Fused:
    """Softmax and cross-entropy of one ``z``. Each sample's maximum is subtracted first, so that no exp overflows."""

    def __init__(self, z: Array, to: Target) -> None:
        if prod(z.shape[:-2]) == 1:
            # Operands of one shape need no broadcasting, which is faster.
            to = to._replace(scaled=to.scaled.reshape(z.shape), mask=to.mask.reshape(z.shape))
        samples = z.dtype.type(z.shape[-1])
        row, log = np.empty_like(z[..., :1, :]), np.empty(z[..., 0, :].shape, z.dtype)
        each = np.empty(z.shape[:-1], z.dtype)
        picked, self.loss = np.empty(z.shape[:-2], z.dtype), np.empty(z.shape[:-2], z.dtype)
        self._z, self._scaled, self._picked = z, to.scaled, picked
        self._accuracy = None if to.labels is None else Accuracy(z, to, picked)
        self.accuracy = None if self._accuracy is None else self._accuracy.share
        self._shift = [partial(np.maximum.reduce, z, -2, None, row, True), partial(np.subtract, z, row, z)]
        # The mean output of the true class, for targets that are 1 / N there and zero elsewhere.
        self._pick = [partial(np.vecdot, z, to.scaled, each), partial(np.add.reduce, each, -1, None, picked)]
        self._exp = [partial(np.exp, z, z), partial(np.add.reduce, z, -2, None, row, True)]
        self._mean = [
            partial(np.log, row[..., 0, :], log),
            partial(np.vecdot, log, np.full(z.shape[-1], 1 / samples, z.dtype), self.loss),
            partial(np.subtract, self.loss, picked, self.loss),
        ]
        self._pull = [
            partial(np.multiply, row, samples, row),
            partial(np.divide, z, row, z),
            partial(np.subtract, z, to.scaled, z),
        ]

    def _pick_again(self) -> None:
        """Repeat ``_pick`` where an output has become -inf: times a target of 0 it counts as 0, not NaN."""
        flat = self._picked.reshape(-1)
        total = flat.dot(flat)
        if total == total:
            return
        lost = np.isnan(self._picked)
        # A copy with the strides of z, so that sums are rounded in the same way for all runs.
        counted = np.copy(self._z, order="K")
        np.copyto(counted, 0, where=self._scaled == 0)
        self._picked[lost] = np.add.reduce(np.vecdot(counted, self._scaled), axis=-1)[lost]

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        counted = self._accuracy if accuracy else None
        return [
            *self._shift,
            *(self._pick if loss or counted else []),
            *(counted.calls if counted else []),
            *([self._pick_again] if loss else []),
            *(self._exp if loss or gradient else []),
            *(self._mean if loss else []),
            *(self._pull if gradient else []),
        ]


class _Weighted:
    """Softmax and cross-entropy of smoothed targets and weighted samples."""

    def __init__(self, of: CrossEntropy, z: Array, to: Target) -> None:
        self._z, self._to, self._smoothing = z, to, z.dtype.type(of.label_smoothing)
        weights = [1.0] * z.shape[-2] if of.class_weights is None else of.class_weights
        self._weights = np.array(weights, z.dtype)[:, None]
        self.loss = np.empty(z.shape[:-2], z.dtype)
        self.accuracy = None if to.labels is None else np.empty(z.shape[:-2])

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        return [partial(self._write, loss, accuracy and self.accuracy is not None, gradient)]

    def _write(self, loss: bool, accuracy: bool, gradient: bool) -> None:
        z, values, classes = self._z, self._to.values, self._z.shape[-2]
        if accuracy:
            assert self.accuracy is not None
            self.accuracy[...] = np.count_nonzero(z.argmax(axis=-2) == self._to.labels, axis=-1) / z.shape[-1]
            self.accuracy[np.isnan(z).any(axis=(-2, -1))] = np.nan
        z -= np.maximum.reduce(z, axis=-2, keepdims=True)
        e = np.exp(z)
        total = np.add.reduce(e, axis=-2, keepdims=True)
        wanted = values * (1 - self._smoothing) + self._smoothing / z.dtype.type(classes)
        share = np.add.reduce(values * self._weights, axis=-2, keepdims=True)
        share /= np.add.reduce(share, axis=-1, keepdims=True)
        if loss:
            # An output of -inf times a target of 0 counts as 0.
            reached = np.where(wanted == 0, 0, z * wanted)
            each = np.log(total) - np.add.reduce(reached, axis=-2, keepdims=True)
            self.loss[...] = np.add.reduce((share * each)[..., 0, :], axis=-1)
        if gradient:
            z[...] = share * (e / total - wanted)
