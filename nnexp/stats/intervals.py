"""Confidence intervals that hold for 5 to 20 seeds, where the percentile bootstrap is too short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]

FEWEST = 5
"""Values below which a bootstrap has too few different resamples, and Student's interval is used."""


class Estimate(NamedTuple):
    """A number and its confidence interval, NaN where there are too few values for one."""

    value: float
    low: float
    high: float


def student(values: Array, confidence: float = 0.95) -> Estimate:
    """The mean of ``values (n,)`` and Student's interval, mean +- t s / sqrt(n)."""
    n = len(values)
    mean = float(np.mean(values)) if n else np.nan
    if n < 2:
        return Estimate(mean, np.nan, np.nan)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return Estimate(mean, mean - float(half), mean + float(half))


def median(values: Array, confidence: float = 0.95) -> Estimate:
    """The median of ``values (n,)`` and its interval from order statistics, which may be infinite.

    Between two neighbouring order statistics, whose coverage is binomial, the interval is interpolated as
    Hettmansperger and Sheather (1986) do. Five values give at most 93.75 %; fewer, the whole range.
    """
    n = len(values)
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan)
    ordered = np.sort(np.asarray(values, np.float64))
    middle = _between(ordered[(n - 1) // 2], ordered[n // 2], 0.5)
    if n < 2:
        return Estimate(middle, np.nan, np.nan)
    depth = np.arange(1, n // 2 + 1)
    coverage = 1 - 2 * stats.binom.cdf(depth - 1, n, 0.5)
    inner = int(np.sum(coverage >= confidence))
    if inner == 0:
        return Estimate(middle, float(ordered[0]), float(ordered[-1]))
    if inner == len(depth):
        return Estimate(middle, float(ordered[inner - 1]), float(ordered[n - inner]))
    share = (coverage[inner - 1] - confidence) / (coverage[inner - 1] - coverage[inner])
    weight = (n - inner) * share / (inner + (n - 2 * inner) * share)
    low = _between(ordered[inner - 1], ordered[inner], weight)
    high = _between(ordered[n - inner], ordered[n - inner - 1], weight)
    return Estimate(middle, low, high)


def resample(strata: Sequence[Array], resamples: int, rng: np.random.Generator) -> list[Array]:
    """Bootstrap resamples ``(resamples, n)`` of each stratum's values ``(n,)``, drawn within the stratum."""
    return [values[rng.integers(0, len(values), (resamples, len(values)))] for values in strata]


def studentized(strata: Sequence[Array], drawn: Sequence[Array], confidence: float = 0.95) -> Estimate:
    """The mean over strata of their means, and its stratified bootstrap-t interval.

    The interval is mean - q s, with q the quantiles of (mean* - mean) / s* over resamples (Efron 1981):
    unlike the percentile interval it covers as it should for few or skewed values. With fewer than five
    values in a stratum it is Student's, with the strata's pooled degrees of freedom.

    Args:
        strata: values ``(n,)`` of each.
        drawn: their resamples, as :func:`resample` gives.
    """
    mean = float(np.mean([np.mean(values) for values in strata]))
    if min(map(len, strata)) < 2:
        return Estimate(mean, np.nan, np.nan)
    error = float(_error(strata))
    if min(map(len, strata)) < FEWEST or error == 0:
        freedom = sum(len(values) - 1 for values in strata)
        half = stats.t.ppf((1 + confidence) / 2, freedom) * error
        return Estimate(mean, mean - float(half), mean + float(half))
    errors = _error(drawn)
    moved = np.mean([values.mean(-1) for values in drawn], axis=0) - mean
    ratio = moved[errors > 0] / errors[errors > 0]
    low, high = np.quantile(ratio, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(mean, mean - float(high) * error, mean - float(low) * error)


def expanded(
    value: float, replicates: Array, smallest: int, freedom: int, confidence: float = 0.95
) -> Estimate:
    """The percentile interval of bootstrap ``replicates (B,)``, widened for few values.

    Its tails are Phi(-sqrt(n / (n - 1)) t), with Student's t: resampling n values has a variance too small by
    (n - 1) / n, and their spread is not known either (Hesterberg 2015).

    Args:
        value: of the statistic.
        smallest: n, the size of the smallest stratum.
        freedom: degrees of freedom of the spread.
    """
    if smallest < 2:
        return Estimate(value, np.nan, np.nan)
    quantile = stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(smallest / (smallest - 1))
    tail = float(stats.norm.cdf(-quantile))
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def _error(strata: Sequence[Array]) -> Any:
    """The standard error of the mean of strata's means, along the last axis of each."""
    variances = [values.var(-1, ddof=1) / values.shape[-1] for values in strata]
    return np.sqrt(np.sum(variances, axis=0)) / len(strata)


def _between(first: float, second: float, weight: float) -> float:
    """(1 - weight) first + weight second, also where one or both are infinite."""
    if weight == 0 or first == second:
        return float(first)
    return float((1 - weight) * first + weight * second) if weight < 1 else float(second)
