"""Distributions of the runs' final values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nnexp.pictures.style import Picture, held_out, looks, picture
from nnexp.results import measure_of


def final_distributions(
    runs: pd.DataFrame, measures: Sequence[str] = ("loss", "accuracy"), by: str = "method"
) -> Picture:
    """Final ``measures`` of every run as a dot, by method; the median as a line, a box from 25 to 75 %.

    One row of axes for each ``task``, if there are several. Where the table also has the measure with
    ``test_`` or ``val_``, open dots next to the filled ones show held-out data. Unfinished runs, and those without a
    finite value, have no dot: the label counts them.
    """
    several = "task" in runs and runs["task"].nunique() > 1
    groups = [(str(t), rows) for t, rows in runs.groupby("task", sort=False)] if several else [("", runs)]
    methods = list(dict.fromkeys(runs[by].astype(str)))
    shown = looks(methods)
    figure, places = picture(len(groups), len(measures), size=(max(3.6, 1.0 + 0.85 * len(methods)), 3.2))
    for index, place in enumerate(places):
        (task, rows), measure = groups[index // len(measures)], measures[index % len(measures)]
        done = rows[rows["status"] == "finished"] if "status" in rows else rows
        partner = held_out(rows, measure)
        pair = partner in rows and bool(rows[partner].notna().any())
        labels = []
        for at, method in enumerate(methods):
            own = done[done[by].astype(str) == method]
            values = pd.to_numeric(own[measure]).to_numpy(float)
            kept = np.isfinite(values)
            draw_dots(place, at - 0.18 * pair, values[kept], shown[method].color, True)
            if pair:
                test = pd.to_numeric(own[partner]).to_numpy(float)
                draw_dots(place, at + 0.18, test[np.isfinite(test)], shown[method].color, False)
            lost = int((rows[by].astype(str) == method).sum() - kept.sum())
            labels.append(_short(method) + (f"\n({lost} lost)" if lost else ""))
        place.set_xticks(range(len(methods)), labels, fontsize=8)
        place.set(xlim=(-0.5, len(methods) - 0.5), ylabel=measure_of(runs, measure).label)
        place.grid(False, axis="x")
        about = f"filled: training data, open: {partner.partition('_')[0]} data; " if pair else ""
        title = f"{task}: " if task else ""
        place.set_title(f"{title}{about}line: median", fontsize=8, loc="left", color="#555555")
    return figure


def draw_dots(place: Axes, at: float, values: np.ndarray[Any, Any], color: str, filled: bool) -> None:
    """Dots around ``at`` in front of a box of the quartiles; spread sideways where many are close together."""
    if not len(values):
        return
    offsets = sideways(values)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    if len(values) > 3:
        place.bar(at, high - low, 0.3, bottom=low, color=color, alpha=0.13, linewidth=0)
    place.scatter(
        at + 0.13 * offsets, values, s=15, facecolors=color if filled else "none", edgecolors=color,
        linewidths=0.9, alpha=0.85,
    )  # fmt: skip
    place.hlines(middle, at - 0.17, at + 0.17, color="#222222", linewidth=1.4)


def sideways(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Deterministic offsets ``(n,)`` from -1 to 1 that separate dots of similar values."""
    if len(values) < 2 or np.ptp(values) == 0:
        return np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(len(values))
    order = np.argsort(values, kind="stable")
    offsets = np.empty(len(values))
    # Multiples of the golden ratio are evenly spread.
    offsets[order] = 2 * ((np.arange(len(values)) * 0.618034) % 1) - 1
    return offsets


def _short(method: str) -> str:
    """The label on two lines: the method, and its settings."""
    return "\n".join(part for part in method.split(" ") if part)
