"""The root of the mean squared error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.metrics.metric import Metric
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RMSE(Metric):
    """The typical error in the target's own units: ``mean_c sqrt(mean_n (a_cn - t_cn)**2)``."""

    label = "root mean squared error"
    higher_is_better = False

    def value(self, a: Array, to: Target) -> Array:
        # Summed in float64, whatever the run's dtype is.
        error = np.subtract(a, to.values, dtype=np.float64)
        return np.sqrt(np.square(error).mean(axis=-1)).mean(axis=-1)
