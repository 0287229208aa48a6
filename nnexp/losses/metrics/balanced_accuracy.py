"""Balanced accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.metrics.classes import ClassMetric, ratio

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BalancedAccuracy(ClassMetric):
    """The mean recall of the classes that occur: ``mean_c n_cc / sum_j n_cj`` (Brodersen et al., 2010)."""

    label = "balanced accuracy (mean share of a class)"
    share = True

    def of_counts(self, counts: Array) -> Array:
        of_class = counts.sum(axis=-1)
        found = ratio(np.diagonal(counts, axis1=-2, axis2=-1), of_class, 0.0)
        return found.sum(axis=-1) / np.count_nonzero(of_class, axis=-1)
