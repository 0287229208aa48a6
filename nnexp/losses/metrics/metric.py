"""The interface of metrics: numbers that measure outputs, recorded with a run's rows and not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import ConfigError, Part
from nnexp.losses.measures import PREFIXES, RESERVED
from nnexp.losses.targets import Target

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Metric(Part):
    """A number computed from a network's outputs ``a (..., C, N)`` and targets.

    Its columns have its name: ``f1`` of training data, ``val_f1`` of validation data, ``test_f1`` of test data.

    Attributes:
        label: the text for an axis.
        higher_is_better: whether higher values are better.
        share: whether it lies in 0 to 1, so that means of runs can be compared without assumptions on their
            distribution.
    """

    group: ClassVar[str] = "metric"
    label: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    share: ClassVar[bool] = False

    def check(self, to: Target) -> None:
        """Check that the metric is defined for these targets.

        Raises:
            ConfigError: it is not.
        """

    def value(self, a: Array, to: Target) -> Array:
        """The metric ``(...)`` of outputs ``a (..., C, N)``, which are not written to."""
        raise TypeError(f"{type(self).__name__} must define value()")


def check_names(metrics: Sequence[Metric]) -> None:
    """Check that each metric has its own columns.

    Raises:
        ConfigError: a name that another column has, or that is not an identifier.
    """
    taken = set(RESERVED)
    for at, metric in enumerate(metrics):
        name = metric.name
        if name in taken or name.startswith(PREFIXES[1:]) or not name.isidentifier():
            raise ConfigError(
                f"metrics[{at}].name={name}: expected a name of letters, digits and _ that no other column has"
            )
        taken.add(name)
