"""Binary cross-entropy: each output is the probability of one property."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError
from nnexp.losses.loss import Loss, Measure, mean
from nnexp.losses.targets import Target
from nnexp.network.activations import Activation, Sigmoid

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """``L = mean_n sum_c (log(1 + exp z_cn) - t_cn z_cn)`` and ``dL/dz = (sigmoid(z) - t) / N``.

    It is ``-mean_n sum_c (t log a + (1 - t) log(1 - a))`` for ``a = sigmoid(z)``, stable for any finite ``z``. With one
    output accuracy is the share of samples with ``a > 0.5`` if and only if ``t > 0.5``.
    """

    probabilities = True

    def check(self, output: Activation, outputs: int = 1) -> None:
        if not isinstance(output, Sigmoid):
            raise ConfigError(f"loss={self.name} after output={output.name}: expected sigmoid outputs")

    def bind(self, z: Array, to: Target, output: Activation) -> Measure:
        return _Binary(z, to, output)


class _Binary:
    def __init__(self, z: Array, to: Target, output: Activation) -> None:
        self._z, self._to, self._output = z, to, output
        self.loss = np.empty(z.shape[:-2], z.dtype)
        known = to.labels is not None or z.shape[-2] == 1
        self.accuracy = np.empty(z.shape[:-2]) if known else None

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        return [partial(self._write, loss, accuracy and self.accuracy is not None, gradient)]

    def _write(self, loss: bool, accuracy: bool, gradient: bool) -> None:
        z, to = self._z, self._to
        if accuracy:
            assert self.accuracy is not None
            one = z.shape[-2] == 1
            right = ((z > 0) == (to.values > 0.5))[..., 0, :] if one else z.argmax(axis=-2) == to.labels
            self.accuracy[...] = np.count_nonzero(right, axis=-1) / z.shape[-1]
            self.accuracy[np.isnan(z).any(axis=(-2, -1))] = np.nan
        if loss:
            # log(1 + exp z) = max(z, 0) + log(1 + exp(-|z|))
            linear = np.maximum(z, 0) - z * to.values
            self.loss[...] = mean(np.add.reduce(linear + np.log1p(np.exp(-np.abs(z))), axis=-2))
        if gradient:
            self._output(z)
            z -= to.values
            z *= z.dtype.type(1 / z.shape[-1])
