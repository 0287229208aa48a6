"""Performance profiles: the share of problems that a method solves within a factor of the fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]


def profiles(costs: Array, methods: list[str]) -> pd.DataFrame:
    """Dolan and Moré's (2002) profiles as step curves, one row a method and factor ``tau``.

    ``share`` is that of problems whose cost is at most tau times the least cost of any method on it.
    Problems that no method solves count, and lower every curve.

    Args:
        costs: ``(M, problems)`` to the target, infinite where it is not reached, NaN where nothing is known.
    """
    known = costs[:, ~np.isnan(costs).any(0)]
    if not known.size:
        return pd.DataFrame({"method": [], "tau": [], "share": []}).astype({"method": str})
    positive = known[(known > 0) & np.isfinite(known)]
    # A target that the initial weights meet costs 0, of which there are no multiples.
    least = positive.min() if positive.size else 1.0
    floor = np.maximum(known, least)
    best = floor.min(0)
    ratio = np.divide(floor, best, where=np.isfinite(floor), out=np.full(floor.shape, np.inf))
    taus = np.unique(np.concatenate([[1.0], ratio[np.isfinite(ratio)]]))
    shares = [np.searchsorted(np.sort(row), taus, side="right") / known.shape[1] for row in ratio]
    return pd.DataFrame(
        {
            "method": np.repeat(methods, len(taus)),
            "tau": np.tile(taus, len(methods)),
            "share": np.concatenate(shares),
        }
    )
