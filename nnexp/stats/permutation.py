"""Paired permutation tests by flipping signs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

import numpy as np

from nnexp.stats.intervals import scale

Array = np.ndarray[Any, Any]

EXACT = 24
"""Pairs up to which all sign patterns are counted."""

DRAWS = 20_000

HALVINGS = 40

BLOCK = 1024
"""Random patterns that are numbers at once: all of them for a thousand pairs would be 80 MB."""


def sign_flip(differences: Array, seed: int = 0, draws: int = DRAWS) -> Array:
    """Two-sided p of each row of ``differences (..., n)`` for the hypothesis that their signs are random.

    If two methods are equal, each difference on a common seed could as well have the other sign. Up to 24
    pairs p is exact, the share of all sign patterns with a mean at least as far from 0. Beyond, it is
    (1 + b) / (1 + m) with b of m random patterns, which never claims more than was tried (Phipson and Smyth
    2010). Pairs that are 0 do not change p.
    """
    given = np.asarray(differences, np.float64)
    rows = given.reshape(-1, given.shape[-1])
    rows = rows[:, (rows != 0).any(0)] / scale([rows])[:, None]
    # Equal sums that differ by rounding are equal.
    least = np.abs(rows.sum(1)) - 1e-10 * np.abs(rows).sum(1)
    if rows.shape[1] <= EXACT:
        p = np.array([min(1.0, 2 * _share_at_least(row, end)) for row, end in zip(rows, least, strict=True)])
    else:
        signed = (rows.sum(1) - 2 * sums for sums in _subset_sums(rows, seed, draws))
        beyond = sum(np.sum(np.abs(sums) >= least, axis=0) for sums in signed)
        # The opposite of each pattern lies as far out.
        p = (1 + 2 * beyond) / (1 + 2 * (draws // 2))
    return np.asarray(np.where(least <= 0, 1.0, p).reshape(given.shape[:-1]))


def sign_flip_interval(
    differences: Array, confidence: float = 0.95, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """The shifts of ``differences (n,)`` that the sign-flip test does not reject: an interval for their centre.

    Its ends are order statistics of the means of subsets, any two neighbours of which enclose the centre
    of a symmetric distribution with the same chance (Hartigan 1969): of all of them up to 24
    differences, found by halving the range, else of random ones. With too few for an interval it is infinite.
    """
    unit = float(scale([np.asarray(differences)]))
    values = np.asarray(differences, np.float64) / unit
    tail = (1 - confidence) / 2
    if len(values) <= EXACT:
        return unit * _lowest_shift(values, tail), -unit * _lowest_shift(-values, tail)
    both = np.stack([values, np.ones(len(values))])
    sums = np.concatenate(list(_subset_sums(both, seed, draws)))
    totals, counts = np.concatenate([sums, both.sum(1) - sums]).T
    means = np.sort(totals / np.maximum(counts, 1))
    # (1 + b) / (1 + m) <= 1 - confidence, b of both signs, for at most so many means beyond 0 on one side.
    outside = int(tail * (len(means) + 1) + 0.5 + 1e-9)
    return (unit * float(means[outside - 1]), unit * float(means[-outside])) if outside else (-np.inf, np.inf)


def subset_means(values: Array) -> Array:
    """The means ``(..., 2^n - 1)`` of all subsets of ``values (..., n)`` that are not empty."""
    chosen = (1.0 - _signs(values.shape[-1])[1:]) / 2
    return np.asarray(values @ (chosen / chosen.sum(1, keepdims=True)).T)


def _lowest_shift(values: Array, tail: float) -> float:
    """The lowest shift at which the one-sided test leaves more than ``tail``."""
    if 2.0 ** -len(values) > tail:
        return -np.inf
    low, high = float(values.min()), float(values.max())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        moved = values - middle
        above = _share_at_least(moved, moved.sum() - 1e-13 * np.abs(values).sum()) > tail
        low, high = (low, middle) if above else (middle, high)
    return high


def _share_at_least(values: Array, least: float) -> float:
    """The share of the 2^n signed sums of ``values (n,)`` that are ``least`` or more.

    Sums of one half of the values are looked up among the sorted sums of the other: 2^(n / 2) steps.
    """
    half = len(values) // 2
    left = values[:half] @ _signs(half).T
    right = np.sort(values[half:] @ _signs(len(values) - half).T)
    found = len(right) - np.searchsorted(right, least - left, side="left")
    return float(found.sum() / 2.0 ** len(values))


@cache
def _signs(n: int) -> Array:
    """All patterns of signs ``(2^n, n)``."""
    return 1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n)[None, :] & 1)


def _subset_sums(values: Array, seed: int, draws: int) -> Iterator[Array]:
    """Sums ``(block, rows)`` of random subsets of ``values (rows, n)``, half as many as ``draws`` in all.

    Each stands for its complement too, so that both tails are alike.
    """
    chosen = _random_subsets(values.shape[1], seed, draws)
    for start in range(0, len(chosen), BLOCK):
        yield chosen[start : start + BLOCK].astype(np.float64) @ values.T


@lru_cache(maxsize=4)
def _random_subsets(n: int, seed: int, draws: int) -> Array:
    """Which of n are in each random subset ``(draws / 2, n)``, 1 or 0."""
    return np.random.default_rng(seed).integers(0, 2, (draws // 2, n), np.int8)
