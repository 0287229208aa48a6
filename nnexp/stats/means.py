"""Intervals of the mean and the median of several tasks' means, each task with few values of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from nnexp.stats.intervals import Estimate, in_units, unknown

Array = np.ndarray[Any, Any]

SHARE = 0.6
"""The factor of the sample's skewness for one task. By simulation: with 0.5 the mean of five skewed
answers (log-normal) is covered in less than 93 %, with 0.8 that of bimodal ones in more than 97 %."""


@in_units
def mean_of_means(strata: Sequence[Array], confidence: float = 0.95) -> Estimate:
    """The mean over strata of the means of their values ``(..., n)``, and Student's interval with a longer tail.

    m - t s, m + t s, with s^2 = sum s_i^2 / n_i / T^2 and Welch's degrees of freedom; the end on the side to
    which the values are skewed is moved out to t + a (2 t^2 + 1) / 6 standard errors, the first term of the Cornish-
    Fisher expansion of Student's t (Johnson 1978, Hall 1992), with a = 0.6 / k^2 of the mean's estimated skewness,
    k = (sum v)^2 / sum v^2 the number of tasks that count, v = s_i^2 / n_i. With all of the skewness and both
    ends moved, as a transformed or bootstrapped t has them, skewed values are covered better, but those with
    heavy tails 92 % and bimodal ones 99 %.

    No interval knows of what no run showed. Of n values, of which each is high with chance p and low
    otherwise, (1 - p)^n + p^n of the samples are all alike, and an interval in the units of the values has no
    width there: at p = 0.3 it covers at most 83 % with n = 5, and 94 % with n = 8 (the case in which it
    covers least as p goes to 0 is Bahadur and Savage's, 1956).
    """
    value = np.mean([values.mean(-1) for values in strata], axis=0)
    sizes = np.array([values.shape[-1] for values in strata])
    if sizes.min() < 2:
        return unknown(value)
    variances = np.stack([values.var(-1, ddof=1) / values.shape[-1] for values in strata])
    total = variances.sum(0)
    error = np.sqrt(total) / len(strata)
    quantile = special.stdtrit(welch(variances, sizes), (1 + confidence) / 2)
    cumulant = np.sum([_third_cumulant(values) for values in strata], axis=0)
    # The skewness of each task is from few values, and the mean of several tasks is nearer to normal.
    scale = np.where(total > 0, total, 1.0)
    tasks = scale**2 / np.where(total > 0, np.sum(variances**2, axis=0), 1.0)
    longer = SHARE * cumulant / scale**1.5 / tasks**2 * (2 * quantile**2 + 1) / 6
    low = value - error * (quantile + np.maximum(-longer, 0))
    return Estimate(value, low, value + error * (quantile + np.maximum(longer, 0)))


@in_units
def median_of_means(
    strata: Sequence[Array], confidence: float, draws: int, rng: np.random.Generator
) -> Estimate:
    """The median over strata of the means of their values ``(..., n)``, and a symmetric parametric bootstrap interval.

    The interval is M +- the quantile of abs(M* - M'), where M* is the median of draws from Student's
    distributions about the tasks' means, shrunk to their common mean as James and Stein do (by
    1 - (T - 1) / Q, Q Cochran's), and M' that of the shrunk means. Without shrinking, the tasks seem further apart than
    they are, and near ones are covered 98 % or more.

    The median of means is not smooth where tasks change places, so that no regular estimate of it exists
    (Hirano and Porter 2012): where two of three tasks are alike and the third is two or three standard
    errors away, it covers 88 to 92 %.
    """
    if len(strata) < 3:
        return mean_of_means(strata, confidence)
    means = np.stack([values.mean(-1) for values in strata], axis=-1)
    sizes = np.array([values.shape[-1] for values in strata])
    value = np.median(means, axis=-1)
    if sizes.min() < 2:
        return unknown(value)
    errors = np.stack([values.std(-1, ddof=1) / np.sqrt(values.shape[-1]) for values in strata], axis=-1)
    largest = errors.max(-1, keepdims=True)
    errors = np.maximum(errors, np.where(largest > 0, 1e-9 * largest, 1.0))
    weights = errors**-2.0
    centre = np.sum(weights * means, -1, keepdims=True) / np.sum(weights, -1, keepdims=True)
    apart = np.sum(weights * (means - centre) ** 2, -1, keepdims=True)
    kept = 1 - (len(strata) - 1) / np.maximum(apart, len(strata) - 1)
    shrunk = centre + kept * (means - centre)
    noise = rng.standard_t(sizes - 1, (*value.shape, draws, len(strata)))
    moved = np.median(shrunk[..., None, :] + errors[..., None, :] * noise, axis=-1)
    off = np.abs(moved - np.median(shrunk, axis=-1)[..., None])
    half = np.where(largest[..., 0] > 0, np.quantile(off, confidence, axis=-1), 0.0)
    return Estimate(value, value - half, value + half)


def welch(variances: Array, sizes: Array) -> Array:
    """Degrees of freedom ``(...)`` of a sum of ``variances (T, ...)`` that were estimated from ``sizes (T,)`` values.

    (sum v)^2 / sum(v^2 / (n + 1)) - 2, the one of Welch's (1947) two that has less bias for few values, at most
    the sum of n - 1.
    """
    most = float(np.sum(sizes - 1))
    total = np.sum(variances, axis=0) ** 2
    parts = np.sum((variances.T**2 / (sizes + 1)).T, axis=0)
    found = np.divide(total, parts, where=parts > 0, out=np.full_like(total, np.inf)) - 2
    return np.minimum(found, most)


def _third_cumulant(values: Array) -> Array:
    """The estimated third cumulant of the mean of ``values (..., n)``; 0 for fewer than three."""
    n = values.shape[-1]
    if n < 3:
        return np.zeros(values.shape[:-1])
    moved = values - values.mean(-1, keepdims=True)
    return np.asarray(np.sum(moved**3, axis=-1) / ((n - 1) * (n - 2) * n))
