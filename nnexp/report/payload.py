"""The data of the page's charts, as plain data for JSON."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from nnexp.figures.curves import summarize
from nnexp.pictures.style import LABELS, looks
from nnexp.report.material import Material
from nnexp.results import ALL_AXES, budget_first, grid, known_measures, on_grid

Array = np.ndarray[Any, Any]

POINTS = 120
"""Points of a curve."""


def charts(material: Material, points: int = POINTS) -> dict[str, Any]:
    """Methods with their looks, tasks, axes, measures, curves, final values and profiles."""
    shown = looks(material.methods)
    finished = material.runs[material.runs["status"] == "finished"]
    history = material.history[material.history["run_id"].isin(set(finished["run_id"]))]
    known = known_measures(history)
    measures = [name for name in known if len(history) and history[name].notna().any()]
    axes = [
        name
        for name in budget_first(finished, history, ALL_AXES)
        if len(history) and history[name].notna().any()
    ]
    comparisons = material.judgement.comparisons if material.judgement else {}
    return {
        "methods": [
            {"name": name, "color": look.color, "dash": _dash(look.dash), "marker": look.marker}
            for name, look in shown.items()
        ],
        "tasks": material.tasks,
        "axes": {name: LABELS[name] for name in axes},
        "measures": {name: {"label": known[name].label, "higher": known[name].higher} for name in measures},
        "measure": material.measure,
        "curves": {
            task: {axis: _curves(rows, axis, measures, points) for axis in axes}
            for task, rows in history.groupby("task", sort=False)
        },
        "finals": {
            task: {
                name: [
                    {"seed": str(row["replicate"]), **{m: number(row[m]) for m in measures}}
                    for _, row in rows[rows["variant"] == name].iterrows()
                ]
                for name in shown
            }
            for task, rows in finished.groupby("task", sort=False)
        },
        "profiles": {axis: _profiles(found.profiles) for axis, found in comparisons.items()},
    }


def number(value: Any, digits: int = 5) -> float | None:
    """A finite number with few digits, None for any other."""
    found = float(value) if value is not None else math.nan
    return float(f"{found:.{digits}g}") if math.isfinite(found) else None


def numbers(values: Any, digits: int = 5) -> list[float | None]:
    """:func:`number` of each value."""
    return [number(value, digits) for value in np.asarray(values, np.float64).tolist()]


def _curves(history: pd.DataFrame, axis: str, measures: list[str], points: int) -> dict[str, Any]:
    """``x`` and for each measure and method the mean with its interval and the median with the runs' range."""
    known = history[history[axis].notna()]
    places = grid(known, axis, points)
    held = on_grid(known, axis, places)
    found: dict[str, Any] = {"x": numbers(places), "of": {}}
    for measure in measures:
        lines = {}
        for method, rows in held.groupby("method", sort=False):
            # Every run has a row at every place, in order.
            values = rows[measure].to_numpy(float).reshape(-1, len(places)).T
            values = values[:, ~np.isnan(values).all(axis=0)]
            if not values.size:
                continue
            # Places where a run has no value are left out, so that a curve is always of the same runs.
            whole = np.isfinite(values).all(axis=1)
            line: dict[str, Any] = {"n": values.shape[1]}
            for band, names in (("interval", ("low", "mean", "high")), ("spread", ("p10", "median", "p90"))):
                columns = np.full((3, len(values)), np.nan)
                if whole.any():
                    columns[:, whole] = summarize(values[whole], "spread" if band == "spread" else "interval")
                line |= {name: numbers(column) for name, column in zip(names, columns, strict=True)}
            lines[str(method)] = line
        found["of"][measure] = lines
    return found


def _profiles(table: pd.DataFrame) -> dict[str, Any]:
    found = {}
    for method, rows in table.groupby("method", sort=False):
        rows = rows[np.isfinite(rows["tau"].to_numpy(float))].sort_values("tau")
        found[str(method)] = {"x": numbers(rows["tau"]), "y": numbers(rows["share"], 4)}
    return found


def _dash(dash: str) -> str:
    return {"-": "", "--": "7 4", "-.": "8 3 2 3", ":": "2 3"}[dash]
