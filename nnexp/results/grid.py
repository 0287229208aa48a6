"""Histories as step curves: values are constant until the next measurement, never interpolated."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nnexp.results.columns import ALL_AXES, known_measures

Array = np.ndarray[Any, Any]


def grid(history: pd.DataFrame, axis: str, points: int = 200) -> Array:
    """Log-spaced places along ``axis``, from the first with a measurement of every run to the longest run's end."""
    rows = history[["run_id", axis]]
    first = float(rows.groupby("run_id")[axis].min().max())
    positive = rows[rows[axis] > max(first, 0)]
    if positive.empty:
        return np.array([first])
    low = float(positive.groupby("run_id")[axis].min().min())
    return np.unique(np.concatenate([[first], np.geomspace(low, float(positive[axis].max()), points)]))


def on_grid(
    history: pd.DataFrame,
    axis: str = "iteration",
    at: Sequence[float] | Array | None = None,
    best: bool = False,
) -> pd.DataFrame:
    """The measures of every run at the same places along ``axis``, so that runs can be averaged.

    A run's value at a place is the last one measured by then, never interpolated; after a run's end it is its last
    value, before its first measurement NaN.

    Args:
        axis: ``iteration``, ``evaluations``, ``seconds`` or ``epochs``.
        at: the places; None for :func:`grid`'s.
        best: whether to take the measurement with the lowest training loss by then instead of the last one.

    Raises:
        ValueError: an unknown axis.
    """
    _check(axis)
    if history.empty:
        return pd.DataFrame(columns=["run_id", "method", "seed", axis, *known_measures(history)])
    places = grid(history, axis) if at is None else np.unique(np.asarray(at, np.float64))
    rows, starts = _by_run(history)
    index = _held(rows, starts, axis, places)
    if best:
        index = np.where(index < 0, -1, _best(rows, starts)[index.clip(0)])
    names = list(known_measures(history))
    values = rows[names].to_numpy(np.float64)[index.ravel().clip(0)]
    values[index.ravel() < 0] = np.nan
    heads = starts[:-1].repeat(len(places))
    columns: dict[str, Any] = {name: rows[name].array.take(heads) for name in ("run_id", "method", "seed")}
    columns[axis] = np.tile(places, len(starts) - 1)
    table = pd.DataFrame(columns | dict(zip(names, values.T, strict=True)))
    table.attrs = dict(history.attrs)
    return table


def held(history: pd.DataFrame, axis: str, at: pd.Series) -> pd.DataFrame:
    """The last row of each run that was measured by its own place ``at`` (by run id), in order of runs.

    Runs without a place or without a measurement by then are left out.

    Raises:
        ValueError: an unknown axis.
    """
    _check(axis)
    early = history[history[axis].to_numpy(float) <= history["run_id"].map(at).to_numpy(float)]
    return early.groupby("run_id", sort=False).tail(1)


def _check(axis: str) -> None:
    if axis not in ALL_AXES:
        raise ValueError(f"axis={axis}: expected one of {', '.join(ALL_AXES)}")


def _by_run(history: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
    """The rows sorted by run, in order of appearance, and iteration; and where each run starts ``(R + 1,)``."""
    codes, _ = pd.factorize(history["run_id"])
    order = np.lexsort((history["iteration"].to_numpy(), codes))
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 2))
    return history.iloc[order], starts


def _held(rows: pd.DataFrame, starts: Array, axis: str, places: Array) -> Array:
    """The row ``(R, places)`` of each run's last measurement by each place, -1 where there is none."""
    along = rows[axis].to_numpy(np.float64)
    index = np.empty((len(starts) - 1, len(places)), np.int64)
    for run, (start, end) in enumerate(itertools.pairwise(starts)):
        index[run] = np.searchsorted(along[start:end], places, side="right") - 1
        index[run, index[run] >= 0] += start
    return index


def _best(rows: pd.DataFrame, starts: Array) -> Array:
    """For each row the one of the same run with the lowest training loss so far, the first of equals."""
    loss = rows["loss"].fillna(np.inf).to_numpy()
    best = np.arange(len(rows))
    for start, end in itertools.pairwise(starts):
        own = loss[start:end]
        lower = np.concatenate([[True], own[1:] < np.minimum.accumulate(own)[:-1]])
        best[start:end] = np.maximum.accumulate(np.where(lower, best[start:end], start))
    return best
