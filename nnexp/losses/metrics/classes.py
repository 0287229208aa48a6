"""Metrics of classes, from the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError
from nnexp.losses.metrics.metric import Metric
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ClassMetric(Metric):
    """A metric of classes: targets are classes, or 0 and 1 for one output."""

    def check(self, to: Target) -> None:
        if to.labels is None and not (to.values.shape[-2] == 1 and np.isin(to.values, (0, 1)).all()):
            raise ConfigError(
                f"metrics={self.name}: expected a dataset whose targets are classes, these are numbers"
            )

    def value(self, a: Array, to: Target) -> Array:
        return self.of_counts(confusion(a, to).astype(np.float64))

    def of_counts(self, counts: Array) -> Array:
        """The metric ``(...)`` of a :func:`confusion` matrix ``(..., C, C)``."""
        raise TypeError(f"{type(self).__name__} must define of_counts()")


def true_classes(to: Target) -> Array:
    """The classes ``(..., N)``; of one output 1 where its target is above 0.5."""
    return (to.values[..., 0, :] > 0.5).astype(np.intp) if to.labels is None else to.labels


def confusion(a: Array, to: Target) -> Array:
    """The confusion matrix ``(..., C, C)``, int64: samples of the class in row i predicted as the class in column j.

    The predicted class is that of the first largest output; with one output it is 1 above 0.5.
    """
    one = a.shape[-2] == 1
    taken = (a[..., 0, :] > 0.5).astype(np.intp) if one else a.argmax(axis=-2)
    classes = 2 if one else a.shape[-2]
    cells = np.broadcast_to(true_classes(to), taken.shape) * classes + taken
    lead, size = taken.shape[:-1], classes * classes
    runs = prod(lead)
    cells = cells.reshape(runs, -1) + size * np.arange(runs)[:, None]
    return np.bincount(cells.reshape(-1), minlength=runs * size).reshape(*lead, classes, classes)


def ratio(part: Array, whole: Array, empty: float) -> Array:
    """``part / whole``, and ``empty`` where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), empty), where=whole != 0)
