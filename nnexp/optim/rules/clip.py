"""Gradient clipping."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.optim.at import At
from nnexp.optim.rules.rule import Bound, Rule

Array = np.ndarray[Any, Any]


def clip_by_value(most: Any) -> Rule:
    """``step_i = min(max(g_i, -most), most)``."""

    def bind(at: At, step: Array) -> Bound:
        clipped, high = np.empty_like(step), at.full(most)
        low = -high
        return Bound(
            [partial(np.maximum, step, low, out=clipped), partial(np.minimum, clipped, high, out=clipped)],
            clipped,
        )

    return bind


def clip_by_norm(most: Any) -> Rule:
    """``step = g * most / max(|g|, most)``, with the norm over all of a run's parameters (Pascanu et al., 2013)."""

    def bind(at: At, step: Array) -> Bound:
        clipped, limit = np.empty_like(step), at.column(most)
        share = np.empty_like(limit)
        # One dot product a run, independent of the other runs.
        norm = share[:, 0]
        return Bound(
            [
                partial(np.vecdot, step, step, norm),
                partial(np.sqrt, share, share),
                partial(np.maximum, share, limit, out=share),
                partial(np.divide, limit, share, share),
                partial(np.multiply, share, step, clipped),
            ],
            clipped,
        )

    return bind
