"""What a metric is: a number that outputs are judged by, measured with a run's rows and never trained by."""

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
    """A number of outputs ``a (..., C, N)``, those that the network gives, and targets.

    Its columns have its name: ``f1`` of training data, ``val_f1`` of validation data, ``test_f1`` of test data.

    Attributes:
        label: what an axis says.
        higher_is_better: whether more of it is better.
        share: whether it lies in 0 to 1, so that means of runs can be compared whatever the runs' distribution.
    """

    group: ClassVar[str] = "metric"
    label: ClassVar[str] = ""
    higher_is_better: ClassVar[bool] = True
    share: ClassVar[bool] = False

    def check(self, to: Target) -> None:
        """Whether it is defined for such targets.

        Raises:
            ConfigError: it is not.
        """

    def value(self, a: Array, to: Target) -> Array:
        """The metric ``(...)`` of outputs ``a (..., C, N)``, which are not written to."""
        raise TypeError(f"{type(self).__name__} has no value of its own")


def check_names(metrics: Sequence[Metric]) -> None:
    """See that each metric has columns of its own.

    Raises:
        ConfigError: a name that another column has, or that is no name.
    """
    taken = set(RESERVED)
    for at, metric in enumerate(metrics):
        name = metric.name
        if name in taken or name.startswith(PREFIXES[1:]) or not name.isidentifier():
            raise ConfigError(
                f"metrics[{at}].name={name}: expected a name of letters, digits and _ that no other column has"
            )
        taken.add(name)
