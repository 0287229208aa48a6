"""Confidence intervals of a sample's mean and median that hold for 5 to 20 values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]

SERVES = 1.25
"""The largest factor of the asked error rate at which an interval is still given, with its own level."""


class Estimate(NamedTuple):
    """A number and its confidence interval, NaN where there are too few values for one; or arrays of them."""

    value: Any
    low: Any
    high: Any


def unknown(value: Any) -> Estimate:
    """An estimate without an interval."""
    return Estimate(value, value * np.nan, value * np.nan)


def holding(value: Any, low: Any, high: Any) -> Estimate:
    """An estimate whose interval contains it, also if few resamples, or rounding, have put an end beyond it."""
    return Estimate(value, np.minimum(low, value)[()], np.maximum(high, value)[()])


def scale(strata: Sequence[Array]) -> Array:
    """The power of two ``(...)`` above all sizes in ``strata (..., n)``, 1 where they are 0 or not finite.

    Divided by it, no value's square or fourth power overflows, and no digit changes.
    """
    largest = np.max([np.abs(values).max(-1, initial=0.0) for values in strata], axis=0)
    sound = np.isfinite(largest) & (largest > 0)
    return np.asarray(np.ldexp(1.0, np.minimum(np.frexp(np.where(sound, largest, 0.5))[1], 1023)))


def in_units(method: Callable[..., Estimate]) -> Callable[..., Estimate]:
    """``method(strata, ...)`` for values of any size: it is called with values divided by their :func:`scale`."""

    @wraps(method)
    def scaled(strata: Sequence[Array], *args: Any, **options: Any) -> Estimate:
        unit = scale(strata)
        found = method([values / unit[..., None] for values in strata], *args, **options)
        return Estimate(*(unit * number for number in found))

    return scaled


def student(values: Array, confidence: float = 0.95) -> Estimate:
    """The mean of ``values (n,)`` and Student's interval, mean +- t s / sqrt(n)."""
    n = len(values)
    if n < 2:
        return unknown(float(np.mean(values)) if n else np.nan)
    unit = float(scale([values]))
    mean = float(np.mean(values / unit))
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values / unit, ddof=1) / np.sqrt(n))
    return Estimate(unit * mean, unit * (mean - half), unit * (mean + half))


def median(values: Array, confidence: float = 0.95) -> Estimate:
    """The median of ``values (..., n)`` and its interval from order statistics, which may be infinite.

    Between two neighbouring order statistics, whose coverage is binomial, the interval is interpolated as
    Hettmansperger and Sheather (1986) do. Its level is :func:`median_level`; where that is none, there is no interval.
    Ties make it cover more often.
    """
    n = values.shape[-1]
    if n == 0:
        return unknown(np.full(values.shape[:-1], np.nan)[()])
    ordered = np.sort(np.asarray(values, np.float64), axis=-1)
    middle = _between(ordered[..., (n - 1) // 2], ordered[..., n // 2], 0.5)
    if np.isnan(median_level(n, confidence)):
        return unknown(middle)
    depth = np.arange(1, n // 2 + 1)
    coverage = 1 - 2 * stats.binom.cdf(depth - 1, n, 0.5)
    inner = int(np.sum(coverage >= confidence))
    if inner == 0:
        return Estimate(middle, ordered[..., 0][()], ordered[..., -1][()])
    if inner == len(depth):
        return Estimate(middle, ordered[..., inner - 1][()], ordered[..., n - inner][()])
    share = (coverage[inner - 1] - confidence) / (coverage[inner - 1] - coverage[inner])
    weight = (n - inner) * share / (inner + (n - 2 * inner) * share)
    low = _between(ordered[..., inner - 1], ordered[..., inner], weight)
    high = _between(ordered[..., n - inner], ordered[..., n - inner - 1], weight)
    return Estimate(middle, low, high)


def median_level(n: int, confidence: float = 0.95) -> float:
    """The level of :func:`median`'s interval of ``n`` values: ``confidence``, or the whole range's 1 - 2^(1 - n).

    The whole range serves where it misses at most a quarter more often than asked: five values give 93.75 % for
    95 %. NaN for fewer.
    """
    missed = 2.0 ** (1 - n)
    if missed > SERVES * (1 - confidence):
        return np.nan
    return min(confidence, 1 - missed)


def _between(first: Array, second: Array, weight: float) -> Any:
    """(1 - weight) first + weight second, also where one or both are infinite."""
    if weight in (0, 1):
        return (second if weight else first)[()]
    return np.where(first == second, first, (1 - weight) * first + weight * second)[()]
