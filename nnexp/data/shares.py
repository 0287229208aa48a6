"""Splitting samples into training, validation and test data by shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError
from nnexp.data.dataset import Data, Split, frozen

Array = np.ndarray[Any, Any]

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
SHARED = -1
"""Marks a row whose part is drawn."""

DEFAULT = {"validation": 0.2, "test": 0.2}


def checked(split: Any, setting: str = "dataset.split", files: bool = False) -> dict[str, Any]:
    """The entries of ``split``, without those that are zero or null.

    Args:
        files: whether paths are allowed beside shares.

    Raises:
        ConfigError: an unknown part, a share outside 0 to 1, or shares that leave nothing for training.
    """
    entries = {}
    for name, value in split.items():
        if name not in PARTS[1:]:
            raise ConfigError(f"{setting}.{name}: unknown; expected validation and test")
        if files and isinstance(value, str) and value.strip():
            entries[name] = value
            continue
        if value is None or (type(value) in (int, float) and 0 <= value < 1):
            entries |= {name: value} if value else {}
            continue
        raise ConfigError(
            f"{setting}.{name}={value}: expected a share, 0 or more and below 1{', or a file' if files else ''}"
        )
    if sum(float(value) for value in entries.values() if not isinstance(value, str)) >= 1:
        raise ConfigError(
            f"{setting}: the shares of validation and test add up to 1 or more; no sample is left for training"
        )
    return entries


def counts(shares: Mapping[str, Any], classes: Array, setting: str = "dataset.split") -> Array:
    """Samples ``(3, K)`` for training, validation and test of K classes that have ``classes (K,)`` samples.

    It depends on the numbers alone, so that sizes are known before anything is drawn.

    Raises:
        ConfigError: a part without a sample, or a class without one for training.
    """
    classes = np.asarray(classes)
    table = np.zeros((3, len(classes)), np.int64)
    for at in (VALIDATION, TEST):
        table[at] = np.floor(shares.get(PARTS[at], 0) * classes + 0.5)
    table[TRAIN] = classes - table[VALIDATION] - table[TEST]
    for at in (VALIDATION, TEST):
        if shares.get(PARTS[at]) and not table[at].sum():
            raise ConfigError(f"{setting}.{PARTS[at]}={shares[PARTS[at]]}: too few samples for this share")
    if (table[TRAIN] < 1).any():
        raise ConfigError(
            f"{setting}: a class has {classes[table[TRAIN] < 1][0]} samples, none is left for training"
        )
    return table


def drawn(of: Array, shares: Mapping[str, Any], classes: Array | None, rng: np.random.Generator) -> Array:
    """The part of each row ``(N,)``: that of ``of (N,)``, and where it is :data:`SHARED` one drawn within each class.

    Args:
        classes: of the rows ``(N,)``; None where targets are numbers.
    """
    parts = of.copy()
    shared = np.flatnonzero(of == SHARED)
    kinds = np.zeros(len(shared), np.int64) if classes is None else classes[shared]
    names, sizes = np.unique(kinds, return_counts=True)
    for kind, of_parts in zip(names, counts(shares, sizes).T, strict=True):
        rows = rng.permutation(shared[kinds == kind])
        parts[rows] = np.repeat(np.arange(3), of_parts)
    return parts


def divided(
    x: Array, y: Array, parts: Array, dtype: Any, standardise: bool = False, targets: bool = False
) -> Split:
    """Samples in rows, ``x (N, F)`` and ``y (N,)`` or ``(N, C)``, as a :class:`Split` by the ``parts (N,)`` of rows.

    Missing inputs get their column's mean; with ``standardise`` columns get mean 0 and standard deviation 1. Both are
    measured on the training rows alone. A column that is constant there becomes 0.

    Args:
        targets: whether ``y`` is standardised too.
    """
    at = [np.flatnonzero(parts == part) for part in range(3)]
    train = x[at[TRAIN]]
    gaps = np.issubdtype(x.dtype, np.floating) and bool(np.isnan(x).any())
    mean, deviation = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if gaps or standardise:
        known = ~np.isnan(train)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, train, 0).sum(axis=0, dtype=np.float64) / count
        if standardise:
            squares = np.where(known, train - mean, 0) ** 2
            deviation = np.sqrt(squares.sum(axis=0) / count)
            # A constant column has a deviation from rounding alone.
            deviation[deviation <= 1e-12 * np.abs(mean)] = 1
    if targets:
        center, spread = y[at[TRAIN]].mean(axis=0), y[at[TRAIN]].std(axis=0)
        y = (y - center) / np.where(spread > 0, spread, 1)
    made: list[Data | None] = []
    for rows in at:
        if not len(rows):
            made.append(None)
            continue
        values = x[rows]
        if gaps:
            values = np.where(np.isnan(values), mean, values)
        if standardise:
            values = (values - mean) / deviation
        made.append(frozen(values.T, y[rows] if y.ndim == 1 else y[rows].T, dtype))
    assert made[0] is not None
    return Split(made[0], made[1], made[2])
