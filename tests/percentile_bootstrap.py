"""The stratified percentile bootstrap, as rliable has it: a reference, which is too short for few runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnexp.stats.aggregates import Aggregates, aggregates, redrawn
from nnexp.stats.intervals import holding

Array = np.ndarray[Any, Any]


def percentile_bootstrap(
    strata: Sequence[Array], confidence: float, resamples: int, rng: np.random.Generator
) -> Aggregates:
    """Mean, median and IQM of ``strata``, with the quantiles of their resamples for intervals.

    Agarwal et al. (2021), as ``rliable.library.get_interval_estimates`` does. With five runs these intervals of
    means and IQMs hold the truth in 81 to 92 of 100 cases: :func:`nnexp.stats.aggregates.aggregate` has wider ones.
    """
    drawn = aggregates([redrawn(values, resamples, rng) for values in strata])
    tail = (1 - confidence) / 2
    found = []
    for value, replicates in zip(aggregates(strata), drawn, strict=True):
        low, high = np.quantile(replicates, [tail, 1 - tail], axis=-1)
        found.append(holding(value, low, high))
    return Aggregates(*found)
