"""How many seeds it takes to see a difference."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import special, stats

from nnexp.stats.permutation import subset_means

Array = np.ndarray[Any, Any]

MOST = 1_000_000
"""Above this number of seeds a difference cannot be shown in practice, and the number is infinite."""

FEW = 12
"""Up to this number of seeds, sign patterns are so few that the test is weaker than Student's, and is simulated."""

MANY = 30
"""From this number of seeds on there are so many sign patterns that any level is attained."""

LARGE = 200
"""From this number of seeds on the noncentral t is replaced by a normal; SciPy's gives NaN for large ones."""

SIMULATED = 2000


def fewest_seeds(alpha: float) -> int:
    """The fewest seeds whose sign patterns can give p <= ``alpha``: 2^(1 - n) <= alpha."""
    return int(np.ceil(1 + np.log2(1 / alpha) - 1e-9))


def power(effect: float, seeds: int, alpha: float = 0.05) -> float:
    """The chance that the paired test at ``alpha`` sees an ``effect``, the mean difference in its own sd's.

    For normal differences. Up to 12 seeds the sign-flip test itself is simulated; beyond, it has the power of Student's
    two-sided test, 1 - F(t) + F(-t) with F of the noncentral t about effect sqrt(n), at the level that sign
    patterns attain: p is a multiple of 2^(1 - n), so that the power is 0 for n < 1 + log2(1 / alpha).
    """
    if seeds < fewest_seeds(alpha):
        return 0.0
    if seeds <= FEW:
        below, above = _seen_from(seeds, alpha)
        return float(np.mean(below < effect) + np.mean(above > effect))
    level = alpha
    if seeds < MANY:
        patterns = 2.0 ** (seeds - 1)
        level = float(np.floor(alpha * patterns + 1e-9) / patterns)
    critical = float(special.stdtrit(seeds - 1, 1 - level / 2))
    centre = abs(effect) * float(np.sqrt(seeds))
    if seeds >= LARGE or centre > critical + 10:
        return float(special.ndtr(centre - critical) + special.ndtr(-critical - centre))
    # The other tail by its mirror: where it is nearly 0, SciPy gives NaN for the plain one.
    found = stats.nct.sf(critical, seeds - 1, centre) + stats.nct.sf(critical, seeds - 1, -centre)
    return float(min(found, 1.0))


def seeds_needed(effect: float, alpha: float = 0.05, wanted: float = 0.8) -> float:
    """The fewest seeds that give the ``wanted`` power; infinite where a million do not, NaN for an unknown effect."""
    if np.isnan(effect):
        return np.nan
    low, high = max(2, fewest_seeds(alpha)), MOST
    if power(effect, high, alpha) < wanted:
        return np.inf
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, alpha) >= wanted else (middle + 1, high)
    return float(low)


@cache
def _seen_from(seeds: int, alpha: float) -> tuple[Array, Array]:
    """The effects above which, and below which, each of many simulated comparisons is significant."""
    means = subset_means(np.random.default_rng(seeds).normal(size=(SIMULATED, seeds)))
    allowed = int(alpha / 2 * 2**seeds + 1e-9)
    ordered = np.partition(means, (allowed - 1, -allowed), axis=-1)
    return -ordered[:, allowed - 1], -ordered[:, -allowed]
