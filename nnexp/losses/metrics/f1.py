"""The F1 score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nnexp.config.settings import ConfigError, setting
from nnexp.losses.metrics.classes import ClassMetric, ratio
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class F1(ClassMetric):
    """The harmonic mean of precision and recall: ``F1_c = 2 n_cc / (sum_j n_cj + sum_i n_ic)``.

    The mean over classes that occur or are predicted (``macro``), weighted by how many samples each has
    (``weighted``), or class 1 of two alone (``binary``). (van Rijsbergen, Information Retrieval, 1979.)
    """

    label = "F1 score"
    share = True

    average: Literal["macro", "weighted", "binary"] = setting(
        "macro", "mean over classes, weighted by their samples, or class 1 of two alone"
    )

    def check(self, to: Target) -> None:
        super().check(to)
        if self.average == "binary" and to.values.shape[-2] > 2:
            raise ConfigError(
                f"metrics={self.name} with average=binary: expected two classes, the dataset has {to.values.shape[-2]}"
            )

    def of_counts(self, counts: Array) -> Array:
        of_class, taken = counts.sum(axis=-1), counts.sum(axis=-2)
        each = ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), of_class + taken, 0.0)
        if self.average == "binary":
            return np.asarray(each[..., 1])
        weights = of_class if self.average == "weighted" else (of_class + taken > 0).astype(np.float64)
        return (each * weights).sum(axis=-1) / weights.sum(axis=-1)
