"""Accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.metrics.classes import ClassMetric

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Accuracy(ClassMetric):
    """The share of samples that are classified correctly: ``sum_c n_cc / N``.

    Losses compute it on the way, so it is always measured.
    """

    label = "accuracy (share of samples)"
    share = True

    def of_counts(self, counts: Array) -> Array:
        return np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1))
