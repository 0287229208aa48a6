"""A constant learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.calls import Call
from nnexp.optim.at import At
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Constant(Schedule):
    """``factor(t) = 1``."""

    def factor(self, t: Array, total: Array) -> Array:
        return np.ones((len(t), len(total)))

    def bind(self, at: At, learning_rate: Any) -> tuple[Array, list[Call]]:
        # Without warm-up no call is needed.
        return super().bind(at, learning_rate) if np.any(self.warmup) else (at.full(learning_rate), [])
