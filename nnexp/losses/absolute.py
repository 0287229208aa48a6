"""The absolute error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.loss import Loss, mean
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``L = mean_n sum_c |a_cn - t_cn|`` and ``dL/da = sign(a - t) / N``, 0 where they are equal."""

    def value(self, a: Array, to: Target) -> Array:
        return mean(np.add.reduce(np.abs(a - to.values), axis=-2))

    def gradient(self, a: Array, to: Target) -> Array:
        return np.sign(a - to.values) * a.dtype.type(1 / a.shape[-1])
