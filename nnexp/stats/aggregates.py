"""Mean, median and interquartile mean of answers, for a task and over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from nnexp.stats.intervals import Estimate, holding, in_units, median, unknown
from nnexp.stats.means import mean_of_means, median_of_means, welch

Array = np.ndarray[Any, Any]

QUARTILES_APART = 2 * special.ndtri(0.75)
"""The interquartile range of a normal distribution in its standard deviations."""


FEWEST = 5
"""Values of a task below which an interquartile mean has no interval."""


class Aggregates(NamedTuple):
    """Estimates of one method's answers."""

    mean: Any
    median: Any
    iqm: Any


def iqm(values: Array) -> Array:
    """The interquartile mean along the last axis: the mean without the lowest and highest quarter.

    Of n values floor(n / 4) are left out at each end (Agarwal et al. 2021, as their package rliable does).
    """
    n = values.shape[-1]
    cut = n // 4
    if cut == 0:
        return np.asarray(values.mean(-1))
    parted = np.partition(values, (cut, n - cut - 1), axis=-1)
    return np.asarray(parted[..., cut : n - cut].mean(-1))


def aggregates(strata: Sequence[Array]) -> Aggregates:
    """Mean, median and IQM of each task's values ``(..., n)``.

    As in rliable the mean is that of the tasks' means, the median that of the tasks' means, and the IQM that
    of all values together; a single task's median is that of its values.
    """
    means = np.stack([values.mean(-1) for values in strata])
    middle = np.median(strata[0], axis=-1) if len(strata) == 1 else np.median(means, axis=0)
    return Aggregates(means.mean(0), middle, iqm(np.concatenate(strata, axis=-1)))


def aggregate(
    strata: Sequence[Array], confidence: float, resamples: int, rng: np.random.Generator
) -> Aggregates:
    """:func:`aggregates` of tasks' values ``(..., n)`` as estimates with intervals that hold for few runs.

    Of the mean: :func:`nnexp.stats.means.mean_of_means`; of the median: from order statistics of one task, and
    :func:`nnexp.stats.means.median_of_means` of several; of the IQM: :func:`interquartile`.
    """
    if not strata:
        return Aggregates(*[unknown(np.nan)] * 3)
    alone = len(strata) == 1
    return Aggregates(
        mean_of_means(strata, confidence),
        median(strata[0], confidence) if alone else median_of_means(strata, confidence, resamples, rng),
        interquartile(strata, confidence, resamples, rng),
    )


@in_units
def interquartile(
    strata: Sequence[Array], confidence: float, resamples: int, rng: np.random.Generator
) -> Estimate:
    """The IQM of all ``strata``'s values ``(..., n)``, and its smoothed stratified bootstrap interval.

    Resamples are drawn within strata, and normal noise of standard deviation d / sqrt(n) is added, d the
    stratum's interquartile range in units of the normal's: it makes up for a variance of resamples that is
    too small by (n - 1) / n, and for ties (Silverman and Young 1987; Hesterberg 2015). The quantiles are at Phi(-t),
    with Student's t, for the spread is not known either; its degrees of freedom are Welch's, of the variances
    of the values winsorized at the quartiles, as Yuen (1974) has them.

    Plain quantiles without noise cover 85 to 92 % with five runs. An interval of Tukey and McLaughlin's, the
    trimmed mean +- t s, covers 70 to 82 % where runs are of two kinds: the IQM then moves with how many are of one.
    With two to four values in a stratum this one covers 80 to 93 %, so there is none.
    """
    sizes = np.array([values.shape[-1] for values in strata])
    pooled = np.concatenate(strata, axis=-1)
    value, cut = iqm(pooled)[()], pooled.shape[-1] // 4
    if sizes.min() < FEWEST:
        return unknown(value)
    ordered = np.sort(pooled, axis=-1)
    quartiles = ordered[..., cut, None], ordered[..., -cut - 1, None]
    spreads = np.stack([np.clip(values, *quartiles).var(-1, ddof=1) * values.shape[-1] for values in strata])
    quantile = special.stdtrit(welch(spreads, sizes), (1 + confidence) / 2)
    drawn = np.concatenate([_smoothed(values, resamples, rng) for values in strata], axis=-1)
    low, high = _tails(np.sort(iqm(drawn), axis=-1), special.ndtr(-quantile))
    return holding(value, low, high)


def redrawn(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Bootstrap resamples ``(..., resamples, n)`` of ``values (..., n)``."""
    *leading, n = values.shape
    chosen = rng.integers(0, n, (*leading, resamples, n))
    return np.take_along_axis(np.broadcast_to(values[..., None, :], chosen.shape), chosen, axis=-1)


def _smoothed(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    """:func:`redrawn` values with noise."""
    drawn = redrawn(values, resamples, rng)
    first, third = np.quantile(values, [0.25, 0.75], axis=-1)
    width = np.asarray(third - first) / QUARTILES_APART / np.sqrt(values.shape[-1])
    return np.asarray(drawn + width[..., None, None] * rng.standard_normal(drawn.shape))


def _tails(ordered: Array, tail: Array) -> tuple[Any, Any]:
    """The quantiles ``tail (...)`` and 1 - ``tail`` of ``ordered (..., B)``, interpolated."""
    place = np.asarray(tail * (ordered.shape[-1] - 1))[..., None]
    lower = place.astype(np.int64)
    share, upper = place - lower, np.minimum(lower + 1, ordered.shape[-1] - 1)

    def at(rows: Array) -> Any:
        near, next_ = (np.take_along_axis(rows, place, axis=-1) for place in (lower, upper))
        return ((1 - share) * near + share * next_)[..., 0][()]

    return at(ordered), at(ordered[..., ::-1])
