"""Learning curves of methods over seeds, with intervals, against any cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from nnexp.pictures.style import LABELS, Picture, looks, picture
from nnexp.results import AXES, measure_of, on_grid
from nnexp.stats.means import mean_of_means

Array = np.ndarray[Any, Any]
Band = Literal["interval", "spread"]

BANDS = {
    "interval": "line: mean of runs, band: its {:.0%} interval",
    "spread": "line: median of runs, band: from 10% to 90% of them",
}


def bands(
    history: pd.DataFrame,
    measure: str = "loss",
    axis: str = "iteration",
    band: Band = "interval",
    at: Sequence[float] | Array | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row a method and place on ``axis``: ``method, axis, middle, low, high, n``.

    Values are constant between measurements, never interpolated. ``interval`` gives the mean over runs with its
    pointwise interval as in tables, :func:`nnexp.stats.means.mean_of_means`; ``spread`` the median, and the range
    of runs from 10 to 90 %. A place at which a run has no finite value is left out, so that a curve is always of
    the same ``n`` runs.

    Args:
        history: a row a measurement: ``run_id``, ``method``, ``seed``, the axes and the measures.
        at: the places; None for :func:`nnexp.results.grid`'s.
    """
    held = on_grid(history, axis, at)
    parts = []
    for method, rows in held.groupby("method", sort=False):
        table = rows.pivot(index=axis, columns="run_id", values=measure)
        table = table.loc[:, table.notna().any()].dropna()
        if table.empty:
            continue
        values = table.to_numpy(float)
        low, middle, high = summarize(values, band, confidence)
        part = pd.DataFrame({axis: table.index, "middle": middle, "low": low, "high": high})
        parts.append(part.assign(method=method, n=values.shape[1]))
    columns = ["method", axis, "middle", "low", "high", "n"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def summarize(values: Array, band: Band = "interval", confidence: float = 0.95) -> tuple[Array, Array, Array]:
    """Low, middle and high ``(G,)`` of ``values (G, n)``, as :func:`bands` says."""
    if band == "spread":
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9], axis=1)
        return low, middle, high
    middle, low, high = mean_of_means([values], confidence)
    if values.shape[1] < 2:
        return middle, middle, middle
    return low, middle, high


def curves(
    history: pd.DataFrame,
    measure: str = "loss",
    axes: Sequence[str] = AXES,
    band: Band = "interval",
    confidence: float = 0.95,
) -> Picture:
    """``measure`` against each of ``axes``, a line a method; one row of axes for each ``task`` if there are several.

    A band is drawn where a method has more than one run.
    """
    tasks, about = _tasks(history), measure_of(history, measure)
    figure, places = picture(len(tasks), len(axes), size=(4.0, 3.0))
    shown = looks(history["method"])
    for row, (task, rows) in enumerate(tasks.items()):
        for column, against in enumerate(axes):
            place = places[row * len(axes) + column]
            draw_curves(place, bands(rows, measure, against, band, confidence=confidence), against, shown)
            place.set(xlabel=LABELS[against], ylabel=about.label if column == 0 else "")
            if len(tasks) > 1 and column == 0:
                place.set_title(task, fontsize=9, loc="left")
    if places[0].get_legend_handles_labels()[0]:
        places[0].legend(fontsize=8, frameon=False)
    figure.supxlabel(BANDS[band].format(confidence), fontsize=8, color="#555555")
    return figure


def draw_curves(place: Axes, table: pd.DataFrame, axis: str, shown: Any) -> None:
    """Draw the lines and bands of :func:`bands`' ``table`` with the given looks."""
    for method, rows in table.groupby("method", sort=False):
        look = shown[str(method)]
        count = int(rows["n"].iloc[0])
        x = rows[axis].to_numpy(float)
        place.plot(
            x, rows["middle"], look.dash, color=look.color, linewidth=1.6, label=f"{method} (n={count})",
            drawstyle="steps-post",
        )  # fmt: skip
        if count > 1:
            low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
            place.fill_between(x, low, high, color=look.color, alpha=0.18, linewidth=0, step="post")
    positive = table[axis][table[axis] > 0].to_numpy(float)
    if len(positive) and positive.max() > 20 * positive.min():
        if (table[axis] <= 0).any():
            place.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.3)
            place.set_xlim(0, float(positive.max()))
        else:
            place.set_xscale("log")
            if positive.max() < 300 * positive.min():
                # Less than three decades have too few powers of ten to read.
                place.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                place.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
                place.xaxis.set_minor_formatter(NullFormatter())
            place.set_xlim(float(positive.min()), float(positive.max()))


def _tasks(history: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if "task" not in history or history["task"].nunique() < 2:
        return {"": history}
    return {str(task): rows for task, rows in history.groupby("task", sort=False)}
