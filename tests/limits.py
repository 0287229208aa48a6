"""How often an interval can hold the truth at all where answers are of two kinds: exact, not simulated."""

from __future__ import annotations

import numpy as np
from scipy import integrate, optimize, stats

STUCK, PLATEAU, NOISE = 0.3, 1.0, 0.1
"""Of ``simulated.stuck``: the share of runs at the plateau, its height, and the noise about it and about 0."""


def two_valued(n: int, share: float) -> float:
    """The most that an interval in the units of the values can cover, of anything between two values.

    Such an interval has no width where all ``n`` values are the same, or is infinite.
    """
    return 1 - share**n - (1 - share) ** n


def reaching(n: int, distance: float, reach: float) -> float:
    """The most that m +- ``reach`` s / sqrt(n) can cover of stuck answers' true value.

    All samples with a plateau in them are counted as covered; without one, they are normal, and the true value is
    ``distance`` of their standard deviations above their centre: P(t >= -reach), t noncentral.
    """
    unseen = (1 - STUCK) ** n
    return float(1 - unseen + unseen * stats.nct.sf(-reach, n - 1, -distance * np.sqrt(n)))


def needed(n: int, distance: float, wanted: float = 0.93) -> float:
    """The confidence that Student's interval must have for :func:`reaching` to be ``wanted``."""
    reach = optimize.brentq(lambda t: reaching(n, distance, t) - wanted, 0.1, 200)
    return float(1 - 2 * stats.t.sf(reach, n - 1))


def stuck_values() -> dict[str, float]:
    """The true mean and IQM of ``simulated.stuck``, by integration."""
    parts = [(1 - STUCK, stats.norm(0, NOISE)), (STUCK, stats.norm(PLATEAU, NOISE))]

    def quantile(p: float) -> float:
        return float(optimize.brentq(lambda x: sum(w * d.cdf(x) for w, d in parts) - p, -1, 2))

    middle, _ = integrate.quad(
        lambda x: x * sum(w * d.pdf(x) for w, d in parts), quantile(0.25), quantile(0.75), limit=200
    )
    return {"mean": STUCK * PLATEAU, "iqm": 2 * float(middle)}


UNATTAINABLE = {("stuck", 1, 5, "mean"), ("stuck", 1, 5, "iqm")}
"""Cells of the calibration table that cannot be within two points: answers, tasks, seeds, estimate."""
