"""The value of tuning: the expected best of n trials, and a table of all trials of a method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nnexp.stats.measure import higher_is_better, tuning_measure

Array = np.ndarray[Any, Any]

RESAMPLES = 500
"""Resamples of the bootstrap over trials."""


def expected_best(values: Array, higher: bool = False) -> Array:
    """The expected best ``(..., N)`` of n = 1 to N of the trials' ``values (..., N)``, drawn with replacement.

    E max = sum_i v_(i) ((i / N)^n - ((i - 1) / N)^n) over the values in ascending order (Dodge, Gururangan, Card,
    Schwartz and Smith, 2019); for the least of them the same with all signs turned.

    >>> expected_best(np.array([1.0, 2.0])).tolist()
    [1.5, 1.25]
    """
    ordered = np.sort(values if higher else -values, axis=-1)
    count = values.shape[-1]
    share = np.arange(count + 1) / count
    chance = np.diff(share[None, :] ** np.arange(1, count + 1)[:, None], axis=-1)
    best = ordered @ chance.T
    return best if higher else -best


def tuning_curves(trials: pd.DataFrame, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """One row a method and number of trials: ``method, trials, best, low, high``.

    The interval is the percentile bootstrap's over trials. Both are of trials that are drawn independently; a search
    that learns from earlier ones may be ahead of them.

    Args:
        trials: as :func:`trial_table` gives; trials without a value are left out.
    """
    rng = np.random.default_rng(seed)
    parts = []
    higher = higher_is_better(str(trials.attrs.get("measure", "val_loss")), trials)
    for method, own in trials.groupby("method", sort=False):
        values = own["value"].dropna().to_numpy(float)
        if len(values) < 2:
            continue
        drawn = values[rng.integers(len(values), size=(RESAMPLES, len(values)))]
        curve = expected_best(values, higher)
        low, high = np.quantile(
            expected_best(drawn, higher), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0
        )
        # A resample never has a better value than the best: the curve may leave the percentiles, not by a digit.
        table = {"trials": np.arange(1, len(values) + 1), "best": curve}
        table |= {"low": np.minimum(low, curve), "high": np.maximum(high, curve)}
        parts.append(pd.DataFrame(table).assign(method=method))
    columns = ["method", "trials", "best", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def trial_table(cells: pd.DataFrame, measure: str | None = None) -> pd.DataFrame:
    """One row a variant of a method, the best first: ``method, variant, runs, finished, value``.

    ``value`` is the median over its finished runs of the measure that tuning goes by, over tasks the mean of medians.

    Args:
        cells: as :func:`nnexp.results.labels.cells` gives.
    """
    measure = measure or tuning_measure(cells)
    keys = ["method", "variant"]
    done = cells[cells["status"] == "finished"]
    sizes = cells.groupby(keys, sort=False).size().rename("runs")
    medians = done.groupby([*keys, "task"], sort=False)[measure].median()
    columns = {"finished": done.groupby(keys).size(), "value": medians.groupby(level=keys).mean()}
    table = sizes.to_frame().assign(**columns).fillna({"finished": 0}).astype({"finished": int}).reset_index()
    table = table.sort_values("value", ascending=not higher_is_better(measure, cells), kind="stable")
    table.attrs.update(cells.attrs, measure=measure)
    return table.reset_index(drop=True)
