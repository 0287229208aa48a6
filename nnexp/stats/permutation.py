"""Paired permutation tests by flipping signs, and Holm's correction over a family of them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EXACT = 20
"""Pairs up to which all sign patterns are tried."""

EXACT_INTERVAL = 12
"""Pairs up to which the means of all subsets are taken."""

DRAWS = 20_000


def sign_flip(differences: Array, seed: int = 0, draws: int = DRAWS) -> Array:
    """Two-sided p of each row of ``differences (..., n)``: is their mean further from 0 than chance makes it?

    If two methods are alike, each difference on a common seed could as well have the other sign. Up to 20
    pairs p is exact, the share of all sign patterns with a mean at least as far from 0. Beyond, it is
    (1 + b) / (1 + m) with b of m random patterns, which never claims more than was tried (Phipson and Smyth
    2010). Pairs that are 0 do not change p.
    """
    given = np.asarray(differences, np.float64)
    rows = given.reshape(-1, given.shape[-1])
    rows = rows[:, (rows != 0).any(0)]
    if not rows.shape[1]:
        return np.ones(given.shape[:-1])
    # Equal sums that differ by rounding are equal.
    least = np.abs(rows.sum(1)) - 1e-10 * np.abs(rows).sum(1)
    if rows.shape[1] <= EXACT:
        p = np.array(
            [np.mean(np.abs(_signed_sums(row)) >= low) for row, low in zip(rows, least, strict=True)]
        )
    else:
        signs = 1.0 - 2.0 * np.random.default_rng(seed).integers(0, 2, (draws, rows.shape[1]), np.int8)
        p = np.array(
            [
                (1 + np.sum(np.abs(signs @ row) >= low)) / (1 + draws)
                for row, low in zip(rows, least, strict=True)
            ]
        )
    return np.asarray(p.reshape(given.shape[:-1]))


def sign_flip_interval(
    differences: Array, confidence: float = 0.95, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """The shifts of ``differences (n,)`` that the sign-flip test does not reject: an interval for their centre.

    Its ends are order statistics of the means of subsets: of all 2^n - 1 that are not empty, or of as many
    random ones as ``draws``, any two neighbours enclose the centre of a symmetric distribution with
    the same chance (Hartigan 1969). Too few differences for an interval give infinite ends.
    """
    values = np.asarray(differences, np.float64)
    n = len(values)
    if n <= EXACT_INTERVAL:
        chosen = _subsets(n)[1:].astype(np.float64)
    else:
        chosen = np.random.default_rng(seed).integers(0, 2, (draws, n), np.int8).astype(np.float64)
        chosen = chosen[chosen.any(1)]
    means = np.sort(chosen @ values / chosen.sum(1)) if n else np.empty(0)
    outside = int((1 - confidence) / 2 * (len(means) + 1) + 1e-9)
    if outside == 0:
        return -np.inf, np.inf
    return float(means[outside - 1]), float(means[-outside])


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


def _subsets(n: int) -> Array:
    """All subsets of n things ``(2^n, n)``, the empty one first."""
    return np.arange(2**n)[:, None] >> np.arange(n)[None, :] & 1


def _signed_sums(values: Array) -> Array:
    """The sums of ``values (n,)`` with all patterns of signs, the first sign kept: the others mirror them."""
    half = len(values) // 2
    left = values[:half] @ (1.0 - 2.0 * _subsets(half)).T if half else np.zeros(1)
    right = values[half:] @ (1.0 - 2.0 * _subsets(len(values) - half)).T
    return np.asarray(np.add.outer(left[: max(len(left) // 2, 1)], right if half else right[:1]).ravel())
