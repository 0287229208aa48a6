"""Performance profiles: how often a method is within a factor of the best."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nnexp.pictures.style import Picture, looks, picture


def performance_profiles(profiles: pd.DataFrame, of: str = "value") -> Picture:
    """The share of problems that each method solves within ``tau`` times the best (Dolan and Moré, 2002).

    Args:
        profiles: ``method, tau, share``, as :attr:`nnexp.stats.Comparison.profiles`.
        of: the name of the cost, for the axis.
    """
    figure, (place,) = picture(size=(4.4, 3.2))
    shown = looks(profiles["method"])
    for method, rows in profiles.groupby("method", sort=False):
        rows = rows[np.isfinite(rows["tau"])].sort_values("tau")
        look = shown[str(method)]
        place.step(
            rows["tau"], rows["share"], look.dash, where="post", color=look.color, linewidth=1.7, label=method
        )
    finite = profiles["tau"][np.isfinite(profiles["tau"])]
    if len(finite) and finite.min() > 0 and finite.max() > 5 * finite.min():
        place.set_xscale("log")
    place.set(
        xlabel=f"tau: factor of the best {of}", ylabel="share of problems within it", ylim=(-0.02, 1.04)
    )
    place.legend(fontsize=8, frameon=False, loc="lower right")
    return figure
