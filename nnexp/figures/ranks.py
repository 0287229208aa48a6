"""Average ranks on a line, with bars over methods that do not differ significantly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nnexp.pictures.style import Picture, looks, picture


def rank_diagram(
    table: pd.DataFrame,
    groups: Sequence[Sequence[str]] = (),
    critical_difference: float = np.nan,
    tasks: int | None = None,
) -> Picture:
    """Average ranks, 1 the best, each with its name; bars join methods within the critical difference (Demšar, 2006).

    Args:
        table: ``method, rank``.
        groups: sets of methods that do not differ; sets of one are not drawn.
        critical_difference: drawn to scale above the line where it is a number.
    """
    ordered = table.sort_values("rank", ignore_index=True)
    count = len(ordered)
    rank = dict(zip(ordered["method"].astype(str), ordered["rank"].astype(float), strict=True))
    shown = looks(rank)
    joined = [group for group in groups if len(group) > 1]
    half = (count + 1) // 2
    foot = -0.35 * len(joined) - 0.5 * half - 0.3
    # Names are outside the axes: the figure is wide enough for the longest on each side.
    letters = [
        max((len(name) for name in side), default=0) + 7 for side in (list(rank)[:half], list(rank)[half:])
    ]
    figure, (place,) = picture(size=(3.2 + 0.075 * sum(letters), 0.9 + 0.28 * (half + len(joined))))
    place.set(xlim=(0.4, count + 0.6), ylim=(foot, 1.0), xticks=[], yticks=[])
    place.grid(False)
    place.spines[["left", "bottom"]].set_visible(False)
    place.hlines(0, 1, count, color="#222222", linewidth=1.2)
    for tick in range(1, count + 1):
        place.vlines(tick, 0, 0.12, color="#222222", linewidth=1)
        place.text(tick, 0.18, str(tick), ha="center", va="bottom", fontsize=8)
    for at, (method, value) in enumerate(rank.items()):
        left = at < half
        level = -0.35 * len(joined) - 0.5 * ((at if left else count - 1 - at) + 1)
        end = 0.95 if left else count + 0.05
        color = shown[method].color
        place.plot([value, value, end], [0, level, level], color=color, linewidth=1.4)
        place.plot(value, 0, shown[method].marker, color=color, markersize=5.5)
        text = f"{method}  {value:.2f}" if left else f"{value:.2f}  {method}"
        place.text(
            end + (-0.05 if left else 0.05),
            level,
            text,
            ha="right" if left else "left",
            va="center",
            fontsize=8.5,
        )
    for level, group in enumerate(joined):
        ends = [rank[str(method)] for method in group]
        y = -0.3 * (level + 1)
        place.plot(
            [min(ends) - 0.03, max(ends) + 0.03], [y, y], color="#222222", linewidth=4, solid_capstyle="butt"
        )
    if np.isfinite(critical_difference):
        place.plot([1, 1 + critical_difference], [0.72, 0.72], color="#222222", linewidth=1.2, marker="|")
        place.text(
            1 + critical_difference + 0.08,
            0.72,
            f"critical difference {critical_difference:.2f}",
            va="center",
            fontsize=8,
        )
    about = "average rank, 1 the best" + (f" of {tasks} tasks" if tasks else "")
    place.set_title(about, loc="left", fontsize=8, color="#555555")
    return figure
