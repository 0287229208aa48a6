"""A learning rate that falls along half a cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Cosine(Schedule):
    """``factor(t) = end + (1 - end) * (1 + cos(pi * t / total)) / 2``.

    ``total`` is the number of updates that the budget allows (Loshchilov and Hutter, 2017, without restarts).
    """

    needs_total: ClassVar[bool] = True

    end: float = setting(0.0, "factor at the budget's end", Range(0), per_run=True)

    def factor(self, t: Array, total: Array) -> Array:
        return np.asarray(self.end + (1 - self.end) * (1 + np.cos(np.pi * np.minimum(t / total, 1))) / 2)
