"""How often one method beats another."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def probability_better(a: Array, b: Array) -> float:
    """The share of pairs in which ``a (n,)`` is lower than ``b (n,)``, equal ones counted half; NaN without pairs."""
    if not len(a):
        return np.nan
    return float(np.mean((a < b) + 0.5 * (a == b)))


def cliffs_delta(a: Array, b: Array) -> float:
    """P(a < b) - P(a > b) for independent ``a (n,)`` and ``b (m,)``: 1 where every a is lower (Cliff 1993).

    (1 + delta) / 2 is the probability of improvement of Agarwal et al. (2021).
    """
    if not len(a) or not len(b):
        return np.nan
    ordered = np.sort(b)
    above = len(b) - np.searchsorted(ordered, a, side="right")
    below = np.searchsorted(ordered, a, side="left")
    return float(np.sum(above - below) / (len(a) * len(b)))
