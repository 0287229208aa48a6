"""How many seeds it takes to see a difference."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

MOST = 1_000_000
"""Seeds beyond which a difference counts as out of reach: infinitely many."""


def power(effect: Any, seeds: Any, alpha: float = 0.05) -> Any:
    """The chance that a two-sided paired test at ``alpha`` sees an ``effect``, the mean difference in its own sd's.

    Student's paired test, 1 - F(t_crit) + F(-t_crit) with F of the noncentral t, effect sqrt(n) its centre: the
    sign-flip test has nearly the same power. An exact one cannot give p below 2^(1 - n), so that with
    fewer than 1 + log2(1 / alpha) seeds the power is 0.
    """
    n = np.asarray(seeds, np.float64)
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    centre = np.abs(np.asarray(effect, np.float64)) * np.sqrt(n)
    # Far from the centre SciPy's noncentral t gives NaN, where the power is 1.
    found = np.where(
        centre > critical + 30, 1.0, stats.nct.sf(critical, n - 1, np.minimum(centre, critical + 30))
    )
    found = found + stats.nct.cdf(-critical, n - 1, np.minimum(centre, 30))
    return np.where(n < _fewest(alpha), 0.0, np.minimum(np.nan_to_num(found, nan=1.0), 1.0))


def seeds_needed(effect: float, alpha: float = 0.05, wanted: float = 0.8) -> float:
    """The fewest seeds that give the ``wanted`` power; infinite where a million do not, NaN for an unknown effect."""
    if np.isnan(effect):
        return np.nan
    low, high = max(2, _fewest(alpha)), MOST
    if power(effect, high, alpha) < wanted:
        return np.inf
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, alpha) >= wanted else (middle + 1, high)
    return float(low)


def _fewest(alpha: float) -> int:
    return int(np.ceil(1 + np.log2(1 / alpha) - 1e-9))
