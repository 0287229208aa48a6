"""The area under the receiver operating characteristic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.losses.metrics.classes import ClassMetric, true_classes
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class AUROC(ClassMetric):
    """The probability that a sample of a class has a larger output for it than a sample of another class.

    ``AUROC_c = (sum of the ranks of class c - n (n + 1) / 2) / (n (N - n))``, n samples of class c, equal outputs
    have the mean of their ranks (Hanley and McNeil, 1982). With more than two classes it is the mean over those that
    occur, each against the rest; NaN where all samples are of one class.
    """

    label = "area under ROC"
    share = True

    def value(self, a: Array, to: Target) -> Array:
        lead, samples = a.shape[:-2], a.shape[-1]
        true = np.broadcast_to(true_classes(to), (*lead, samples)).reshape(-1, samples)
        outputs = a.reshape(-1, *a.shape[-2:])
        # Both of two classes have the same value.
        classes = range(a.shape[-2]) if a.shape[-2] > 2 else (1,)
        areas = np.full((len(outputs), len(classes)), np.nan)
        for run, (scores, labels) in enumerate(zip(outputs, true, strict=True)):
            for at, c in enumerate(classes):
                areas[run, at] = _area(scores[-1 if len(classes) == 1 else c], labels == c)
        known = ~np.isnan(areas)
        count = known.sum(axis=-1)
        total = np.where(known, areas, 0.0).sum(axis=-1)
        return np.divide(total, count, out=np.full(len(outputs), np.nan), where=count > 0).reshape(lead)


def _area(scores: Array, positive: Array) -> float:
    n = int(np.count_nonzero(positive))
    if n in (0, len(scores)):
        return np.nan
    order = np.sort(scores)
    own = scores[positive]
    # Twice the mean ranks are whole numbers, so that their sum is exact.
    twice = np.searchsorted(order, own, "left") + np.searchsorted(order, own, "right") + 1
    return float((int(twice.sum()) - n * (n + 1)) / (2 * n * (len(scores) - n)))
