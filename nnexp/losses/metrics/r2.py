"""The coefficient of determination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.metrics.metric import Metric
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class R2(Metric):
    """The share of the targets' variance that is predicted: ``mean_c 1 - sum_n (a - t)**2 / sum_n (t - mean t)**2``.

    1 is exact, 0 as good as predicting the mean, negative is worse. For a constant target it is 1 where outputs are
    exact, else 0.
    """

    label = "R2 (share of variance predicted)"

    def value(self, a: Array, to: Target) -> Array:
        wanted = to.values.astype(np.float64)
        left = np.square(a - wanted).sum(axis=-1)
        total = np.square(wanted - wanted.mean(axis=-1, keepdims=True)).sum(axis=-1)
        rest = np.divide(
            left, total, out=(left > 0).astype(np.float64), where=np.broadcast_to(total > 0, left.shape)
        )
        return (1 - rest).mean(axis=-1)
