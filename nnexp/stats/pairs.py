"""Every pair of methods on their common seeds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nnexp.stats.effects import cliffs_delta, probability_better
from nnexp.stats.equal_means import bounded_p, hall_p, shapes_differ
from nnexp.stats.holm import holm
from nnexp.stats.intervals import Estimate, holding, scale, student, unknown
from nnexp.stats.permutation import sign_flip, sign_flip_interval
from nnexp.stats.power import seeds_needed
from nnexp.stats.standing import BETTER, UNDECIDED

Array = np.ndarray[Any, Any]

COLUMNS = (
    "task",
    "a",
    "b",
    "tasks",
    "n_pairs",
    "seeds",
    "observations",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "shapes_differ",
    "p_mean",
    "probability_a_better",
    "cliffs_delta",
    "seeds_needed",
    "verdict",
)
ROUNDING = 1e-12
"""Tolerance for a p that equals a level up to rounding."""


def pair_rows(
    values: Array,
    orders: Array,
    methods: list[str],
    sign: float,
    confidence: float = 0.95,
    seed: int = 0,
    clocks: Array | None = None,
    bounded: bool = False,
) -> pd.DataFrame:
    """One row a pair of methods, before the correction for their number.

    A difference is that of means over tasks, each with the same weight. What is flipped in the test, and what
    the interval counts as one observation, is a seed with all its tasks: tasks may share data and initial
    weights by their seed. Seeds whose runs were timed together are one observation too. Cliff's delta takes runs
    as independent, and is the mean over tasks.

    Args:
        values: ``(T, M, S)`` of T tasks, M methods and S seeds, NaN where there is no run.
        orders: the same, where a diverged run is beyond all others; lower is better.
        sign: 1 where lower values are better, -1 where higher ones are.
        bounded: whether values lie in 0 to 1, so that a test of equal means exists.
        clocks: ``(T, M, S)``, equal where runs were timed together; None where time does not matter.
    """
    lower = sign * values
    ends = np.array([_mean_over_tasks(lower[:, m]) for m in range(len(methods))])
    rows: list[dict[str, Any]] = []
    for one, two in combinations(range(len(methods)), 2):
        a, b = (one, two) if not ends[two] < ends[one] else (two, one)
        difference = lower[:, a] - lower[:, b]
        share = seed_shares(difference)
        if share.sum() > 0:  # On common seeds the order may differ from that over all seeds.
            a, b, share, difference = b, a, -share, -difference
        paired = ~np.isnan(difference)
        used = paired.any(0)
        first = seed_shares(np.where(paired, lower[:, a], np.nan))
        weight = seed_shares(np.where(paired, 1.0, np.nan))
        parts = np.stack([share, first, weight])[:, used]
        if clocks is not None:
            timing = timings(clocks[:, a], clocks[:, b], paired)[used]
            parts = np.stack([np.bincount(timing, part) for part in parts])
        observed, first, weight = parts
        estimate = paired_interval(observed * len(observed), confidence, seed)
        low, high = sorted((sign * estimate.low, sign * estimate.high))
        rows.append(
            {
                "a": methods[a],
                "b": methods[b],
                "tasks": int(paired.any(1).sum()),
                "n_pairs": int(paired.sum()),
                "seeds": int(used.sum()),
                "observations": len(observed),
                "difference": sign * estimate.value,
                "low": low,
                "high": high,
                "p": float(sign_flip(observed, seed)) if used.any() else np.nan,
                "shapes_differ": shapes_differ(first, first - observed),
                "p_mean": _p_mean(observed, weight if bounded else None),
                "effect": _effect(observed),
                "probability_a_better": probability_better(orders[:, a][paired], orders[:, b][paired]),
                "cliffs_delta": _cliff(orders[:, a], orders[:, b]),
            }
        )
    return pd.DataFrame(rows)


def corrected(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """The rows of :func:`pair_rows` as one family: Holm's p, the verdict, and the seeds that the family asks for."""
    alpha = 1 - confidence
    table = table.assign(p_holm=holm(table["p"].to_numpy(float)))
    # Holm's first step is Bonferroni's, and the one that a lone difference must pass.
    each = alpha / max(int(table["p"].notna().sum()), 1)
    table["seeds_needed"] = [seeds_needed(effect, each) for effect in table["effect"]]
    table["verdict"] = np.where(table["p_holm"] <= alpha + ROUNDING, BETTER, UNDECIDED)
    return table[[*COLUMNS]]


def seed_shares(difference: Array) -> Array:
    """The contribution of each seed ``(S,)`` to the mean over tasks of the mean ``difference (T, S)`` of pairs."""
    paired = ~np.isnan(difference)
    pairs = paired.sum(1)
    tasks = max(int((pairs > 0).sum()), 1)
    weights = np.divide(1.0, tasks * pairs, where=pairs > 0, out=np.zeros(len(pairs)))
    return np.asarray(np.where(paired, difference, 0.0).T @ weights)


def timings(a: Array, b: Array, paired: Array) -> Array:
    """Which independent timing ``(S,)`` each seed belongs to, numbered from 0 over those with a pair.

    Seeds are linked by a clock that times runs of more than one, of either method, directly or over others. A pair
    of runs that were timed together links nothing: the clock is the same on both sides, as iterations are.

    Args:
        a: ``(T, S)``, equal where runs were timed together; ``b`` the same of the other method.
        paired: ``(T, S)``, whether there are both.
    """
    tasks, seeds = np.nonzero(paired & (a != b))
    count, known = paired.shape[1], int(max(a.max(), b.max())) + 1
    clocks = count + np.concatenate([a[tasks, seeds], b[tasks, seeds]])
    links = coo_array((np.ones(len(clocks)), (np.tile(seeds, 2), clocks)), shape=(count + known,) * 2)
    linked = connected_components(links, directed=False)[1][:count]
    out = np.full(count, -1)
    used = paired.any(0)
    out[used] = np.unique(linked[used], return_inverse=True)[1]
    return out


def paired_interval(differences: Array, confidence: float = 0.95, seed: int = 0) -> Estimate:
    """The mean of ``differences (n,)`` and the interval that belongs to the sign-flip test.

    It leaves out 0 where that test's p is at most 1 - confidence, and nowhere else. There is none where there are
    too few differences for any p so small (five at 95 %).
    """
    mean = student(differences).value
    low, high = sign_flip_interval(differences, confidence, seed)
    if np.isinf(low):
        return unknown(mean)
    if sign_flip(differences, seed) > 1 - confidence + ROUNDING:
        # Sums that differ by rounding are equal to the test; its interval may end that near to 0.
        low, high = min(low, 0.0), max(high, 0.0)
    return holding(mean, low, high)


def _p_mean(observed: Array, bounds: Array | None) -> float:
    """P of equal means; ``bounds`` are the largest possible differences, None where these are unbounded."""
    if not len(observed):
        return np.nan
    return float(hall_p(observed) if bounds is None else bounded_p(observed, float(bounds.max())))


def _mean_over_tasks(values: Array) -> float:
    known = [row[~np.isnan(row)] for row in values if not np.isnan(row).all()]
    if not known:
        return np.nan
    unit = float(scale([row[None] for row in known]).item())
    return unit * float(np.mean([(row / unit).mean() for row in known]))


def _effect(values: Array) -> float:
    """The mean in standard deviations; infinite where all values are the same and not 0."""
    if len(values) < 2:
        return np.nan
    values = values / scale([values])
    mean, spread = abs(float(np.mean(values))), float(np.std(values, ddof=1))
    if spread <= 1e-12 * mean:
        return np.inf if mean else np.nan
    return mean / spread


def _cliff(a: Array, b: Array) -> float:
    each = [cliffs_delta(one[~np.isnan(one)], two[~np.isnan(two)]) for one, two in zip(a, b, strict=True)]
    known = [value for value in each if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
