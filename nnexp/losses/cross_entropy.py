"""Categorical cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError, Range, setting
from nnexp.losses.accuracy import Accuracy
from nnexp.losses.loss import Loss, Measure, mean
from nnexp.losses.targets import Target
from nnexp.network.activations import Activation, Softmax

Array = np.ndarray[Any, Any]

SMALLEST = 1e-7
"""The clip of outputs that are no softmax, as the notebook has it."""


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Mean negative log probability of the true class, for classes and one-hot targets.

    After softmax and without ``clip`` both are one, stable for any finite ``z``:
    ``L = mean_n(log sum_c exp z_cn - z_yn)`` and ``dL/dz = (softmax(z) - one_hot(y)) / N``
    (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108-109).

    With it ``L = -mean_n log(sum_c t_cn min(max(a_cn, clip), 1 - clip))``; the gradient is zero where the bounds hold.
    """

    clip: float | None = setting(
        None, "clips probabilities to [clip, 1 - clip]", Range(0, 0.5, above=True, below=True)
    )

    def check(self, output: Activation) -> None:
        if not output.probabilities:
            raise ConfigError(
                f"loss={self.name} after output={output.name}: expected softmax or sigmoid outputs"
            )

    def bind(self, z: Array, to: Target, output: Activation) -> Measure:
        if isinstance(output, Softmax) and self.clip is None:
            return _Fused(z, to)
        return super().bind(z, to, output)

    def _clipped(self, a: Array) -> Array:
        # Bounds as NumPy makes them from Python numbers: rounded to the array's own type.
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
    """Softmax and cross-entropy of one ``z``: relative to each sample's largest output, no exp overflows."""

    def __init__(self, z: Array, to: Target) -> None:
        if prod(z.shape[:-2]) == 1:
            # Operands of one shape spare NumPy the work of fitting them to one another.
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
        """The same where an output is -inf, too far below the largest for a number: times a target of 0 it is 0."""
        flat = self._picked.reshape(-1)
        total = flat.dot(flat)
        if total == total:
            return
        lost = np.isnan(self._picked)
        # A copy with the strides of z, so that sums are rounded as those of other runs are.
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
