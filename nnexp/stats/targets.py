"""Time to a target: how much it costs a run to get there, infinite where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nnexp.results import measure_of
from nnexp.stats.intervals import median, median_level, unknown
from nnexp.stats.scores import Scores

Array = np.ndarray[Any, Any]


def first_reached(
    history: pd.DataFrame, measure: str, axis: str, targets: pd.Series, horizons: pd.Series
) -> pd.Series:
    """The cost, by run id, of the first measurement that reaches the run's target.

    It is infinite for a run that did not reach it by its horizon. Runs are measured at their marks, so that the
    true cost lies between this measurement and the one before.

    Args:
        targets: values by run id.
        horizons: largest costs that count, by run id.
    """
    target = history["run_id"].map(targets).to_numpy(float)
    value = history[measure].to_numpy(float)
    good = value >= target if measure_of(history, measure).higher else value <= target
    good &= history[axis].to_numpy(float) <= history["run_id"].map(horizons).to_numpy(float)
    reached = history[good].groupby("run_id")[axis].min().astype(float)
    return reached.reindex(targets.index).fillna(np.inf)


def times(scores: Scores, history: pd.DataFrame, measure: str, axis: str, targets: pd.Series) -> Array:
    """Times to the target ``(T, M, S)``; NaN for a run that was stopped, or is missing, before it was known."""
    table = scores.table
    by_run = table.set_index("run_id")
    own = history[history["run_id"].isin(by_run.index)]
    reached = first_reached(own, measure, axis, by_run["task"].map(targets), by_run["at"])
    time = table["run_id"].map(reached).astype(float)
    # A run that was stopped for another reason than its method might have reached the target.
    time = time.where(table["value"].notna() | np.isfinite(time))
    out = np.full(scores.values.shape, np.nan)
    places = tuple(
        pd.Index(known).get_indexer(table[name])
        for name, known in (("task", scores.tasks), ("method", scores.methods), ("seed", scores.seeds))
    )
    out[places] = time
    return out


def default_targets(scores: Scores) -> pd.Series:
    """For each task the median of the methods' median answers, the better of two middle values.

    About half of the methods reach it in at least half of their runs.
    """
    medians = scores.table.groupby(["task", "method"], sort=False)["value"].median()
    middle = "higher" if scores.higher else "lower"
    return medians.groupby("task", sort=False).quantile(0.5, interpolation=middle).reindex(scores.tasks)


def target_table(
    scores: Scores, reached: Array, targets: pd.Series, axis: str, confidence: float
) -> pd.DataFrame:
    """One row a task and method: how many runs get there, and after what cost.

    The median and its interval are infinite where so few runs get there; seconds of runs that were timed together have
    no interval; ``restricted_mean`` is the mean of the
    cost up to the horizon.
    """
    rows = []
    for t, task in enumerate(scores.tasks):
        horizon = float(scores.at[task])
        for m, method in enumerate(scores.methods):
            known = reached[t, m][~np.isnan(reached[t, m])]
            middle = median(known, confidence)
            level = median_level(len(known), confidence)
            if scores.clocks is not None and len(set(scores.clocks[t, m][~np.isnan(reached[t, m])])) < len(
                known
            ):
                # Times of one clock are one measurement, whose error is unknown.
                middle, level = unknown(middle.value), np.nan
            rows.append(
                {
                    "task": task,
                    "method": method,
                    "target": float(targets[task]),
                    "axis": axis,
                    "n": len(known),
                    "reached": int(np.isfinite(known).sum()),
                    "median": middle.value,
                    "low": middle.low,
                    "high": middle.high,
                    "level": level,
                    "restricted_mean": float(np.minimum(known, horizon).mean()) if len(known) else np.nan,
                    "horizon": horizon,
                }
            )
    return pd.DataFrame(rows)
