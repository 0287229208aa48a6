"""Mean, median and interquartile mean of answers, for a task and over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nnexp.stats.intervals import Estimate, expanded, median, resample, studentized

Array = np.ndarray[Any, Any]


class Aggregates(NamedTuple):
    """Estimates of one method's answers."""

    mean: Estimate
    median: Estimate
    iqm: Estimate


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


def aggregate(
    strata: Sequence[Array], confidence: float, resamples: int, rng: np.random.Generator
) -> Aggregates:
    """Estimates over tasks, each with the values ``(n,)`` of its runs; of one task where there is one.

    As in rliable the mean is that of the tasks' means, the median that of the tasks' means, and the IQM that
    of all values together; a single task's median is that of its values. Intervals come from one
    stratified bootstrap, but for a single task's median, which has its own from order statistics.
    """
    if not strata:
        none = Estimate(np.nan, np.nan, np.nan)
        return Aggregates(none, none, none)
    drawn = resample(strata, resamples, rng)
    smallest, freedom = min(map(len, strata)), sum(len(values) - 1 for values in strata)
    middle = float(iqm(np.concatenate(strata)))
    quarters = expanded(middle, iqm(np.concatenate(drawn, axis=-1)), smallest, freedom, confidence)
    if len(strata) == 1:
        halves = median(strata[0], confidence)
    else:
        means = np.stack([values.mean(-1) for values in drawn])
        value = float(np.median([values.mean() for values in strata]))
        # One task's few runs may decide it.
        halves = expanded(value, np.median(means, axis=0), smallest, smallest - 1, confidence)
    return Aggregates(studentized(strata, drawn, confidence), halves, quarters)
