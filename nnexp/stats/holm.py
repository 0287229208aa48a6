"""Holm's correction for several tests."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def holm(p: Array) -> Array:
    """Holm's (1979) adjusted p along the last axis, which hold the error of the whole family.

    p_(i) is made max over j <= i of (m - j + 1) p_(j), at most 1; NaN stays NaN and is not counted.
    """
    values = np.asarray(p, np.float64)
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, -1)
    many = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    steps = many - np.arange(values.shape[-1])
    adjusted = np.minimum(np.maximum.accumulate(ordered * np.maximum(steps, 1), axis=-1), 1.0)
    out = np.empty_like(values)
    np.put_along_axis(out, order, adjusted, -1)
    return out
