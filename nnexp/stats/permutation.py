"""Paired permutation tests by flipping signs, and Holm's correction over a family of them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

EXACT = 16
"""Pairs up to which all sign patterns are tried: 2^15 of them, as the test has two sides."""

DRAWS = 20_000


def sign_flip(differences: Array, seed: int = 0, draws: int = DRAWS) -> Array:
    """Two-sided p of each row of ``differences (..., n)``: is their mean further from 0 than chance makes it?

    If two methods are alike, each difference on a common seed could as well have the other sign. Up to 16
    pairs p is exact, the share of all sign patterns with a mean at least as far from 0. Beyond, it is
    (1 + b) / (1 + m) with b of m random patterns, which never claims more than was tried (Phipson and Smyth
    2010). Pairs that are 0 do not change p.
    """
    rows = np.atleast_2d(np.asarray(differences, np.float64))
    rows = rows.reshape(-1, rows.shape[-1])
    used = np.flatnonzero((rows != 0).any(0))
    if not len(used):
        return np.ones(np.shape(differences)[:-1])
    rows = rows[:, used]
    found = np.abs(rows.sum(1))
    # Equal sums that differ by rounding are equal.
    least = found - 1e-10 * np.abs(rows).sum(1)
    n = len(used)
    if n <= EXACT:
        patterns = _all_signs(n)
        p = (np.abs(rows @ patterns.T) >= least[:, None]).mean(1)
    else:
        patterns = 1.0 - 2.0 * np.random.default_rng(seed).integers(0, 2, (draws, n), np.int8)
        p = (1 + (np.abs(rows @ patterns.T) >= least[:, None]).sum(1)) / (1 + draws)
    return np.asarray(p.reshape(np.shape(differences)[:-1]))


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


def _all_signs(n: int) -> Array:
    """All sign patterns ``(2^(n - 1), n)`` with the first sign +: the others mirror them."""
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[None, :] & 1
    return 1.0 - 2.0 * bits
