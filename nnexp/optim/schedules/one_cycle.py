"""A learning rate that rises, then falls to almost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.schedules.schedule import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Half a cosine up from ``start`` to 1 during the share ``rise`` of the budget, another down to ``end``.

    The peak is update ``rise * total - 1``, the last one ``total - 1``; ``total`` is the number of updates that the
    budget allows (Smith and Topin, 2018, with cosines in place of lines).
    """

    needs_total: ClassVar[bool] = True

    rise: float = setting(
        0.3, "share of the updates in which the rate rises", Range(0, 1, above=True, below=True), per_run=True
    )
    start: float = setting(0.04, "factor at the first update", Range(0), per_run=True)
    end: float = setting(4e-6, "factor at the last update", Range(0), per_run=True)

    def factor(self, t: Array, total: Array) -> Array:
        last = np.maximum(total - 1, 1)
        # With few updates there may be no rise.
        peak = np.minimum(np.maximum(self.rise * total - 1, 0), last)
        up = np.where(peak > 0, t / np.maximum(peak, 1e-9), 1)
        down = np.clip((t - peak) / np.maximum(last - peak, 1e-9), 0, 1)
        rising = _between(self.start, 1.0, np.clip(up, 0, 1))
        return np.where(t <= peak, rising, _between(1.0, self.end, down))


def _between(first: Any, last: Any, share: Array) -> Array:
    return np.asarray(last + (first - last) / 2 * (1 + np.cos(np.pi * share)))
