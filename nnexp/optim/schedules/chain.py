"""The product of schedules."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nnexp.config.settings import setting
from nnexp.optim.schedules.constant import Constant
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Chain(Schedule):
    """The product of the factors of all ``schedules``, each with its own warm-up."""

    schedules: list[Schedule] = setting([Constant()], "options or settings of the schedules")

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(prod(own.warmed(t, total) for own in self.schedules))
