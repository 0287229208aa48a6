"""Targets of a network's outputs, prepared once for all losses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Target(NamedTuple):
    """Targets: ``values (..., C, N)``, and ``scaled`` for values / N.

    For classes also ``labels (..., N)``; ``mask`` marks the outputs whose value is not 0.
    """

    values: Array
    scaled: Array
    labels: Array | None
    mask: Array


def target(y: Array, n_outputs: int, dtype: Any, lead: int = 0) -> Target:
    """Targets from classes ``(*lead, N)``, or from one-hot or numeric values ``(*lead, C, N)``.

    ``lead`` is the number of leading axes. Values whose every column is one-hot count as classes, so accuracy is
    defined for them.

    Raises:
        ValueError: a class outside ``0 .. n_outputs - 1``, or values with another number of rows.
    """
    labels: Array | None
    if np.issubdtype(y.dtype, np.integer) and y.ndim == lead + 1:
        labels = y
        if y.size and not (y.min() >= 0 and y.max() < n_outputs):
            raise ValueError(f"targets {y.min()} to {y.max()}: expected classes 0 to {n_outputs - 1}")
        values = (y[..., None, :] == np.arange(n_outputs)[:, None]).astype(dtype)
    else:
        if y.ndim != lead + 2 or y.shape[-2] != n_outputs:
            raise ValueError(f"targets of shape {y.shape}: expected {n_outputs} rows, one an output")
        values = np.ascontiguousarray(y, dtype)
        one_hot = n_outputs > 1 and np.isin(values, (0, 1)).all() and (values.sum(axis=-2) == 1).all()
        labels = values.argmax(axis=-2) if one_hot else None
    scaled = classes_first((values / y.shape[-1]).astype(dtype))
    return Target(values, scaled, labels, classes_first(values != 0))


def classes_first(a: Array) -> Array:
    """A copy of ``(..., C, N)`` with classes outermost in memory, the layout of the outputs of many runs."""
    return np.moveaxis(np.array(np.moveaxis(a, -2, 0), order="C"), 0, -2)
