"""A trajectory: the snapshots of one run's weights, with its problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnexp.config.schema import from_mapping
from nnexp.results import load_config, load_history, load_snapshots
from nnexp.training.prepare import prepare
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]


class Trajectory(NamedTuple):
    """Snapshots ``theta (T, P)`` of one run, with the costs ``(T,)`` at each."""

    label: str
    problem: Problem
    theta: Array
    loss: Array
    iteration: Array
    evaluations: Array
    seconds: Array

    def at(self, axis: str, value: float) -> int:
        """The last snapshot by ``value`` on ``axis`` (``iteration``, ``evaluations`` or ``seconds``), or the first."""
        return max(0, int(np.searchsorted(getattr(self, axis), value, side="right")) - 1)


def load_trajectories(
    runs: pd.DataFrame, uri: str | None = None, by: str = "method", modules: Sequence[str] = ()
) -> list[Trajectory]:
    """The trajectories of ``runs``, a row each as :func:`nnexp.results.load_runs` gives, named by column ``by``.

    Args:
        modules: top-level modules outside nnexp that the runs' parts may be imported from.

    Raises:
        StoreError: no such store, or a run without weights or config.
        ConfigError: a part that is not there, or is outside nnexp and not in ``modules``.
    """
    uri = uri or runs.attrs.get("uri")
    history = load_history(runs, uri)
    found = []
    for run_id, label in zip(runs["run_id"], runs[by], strict=True):
        snapshots = load_snapshots(run_id, uri)
        # Settings that did not exist when the run was recorded have their defaults.
        problem = prepare(from_mapping(load_config(run_id, uri), modules)).problem
        spent = history[history["run_id"] == run_id].sort_values("iteration")
        # A snapshot belongs to a measured row; if that is missing, the row before is used.
        row = np.searchsorted(spent["iteration"].to_numpy(float), snapshots.iteration, side="right") - 1
        columns = {
            name: spent[name].to_numpy(float)[row.clip(0)] if len(spent) else np.full(len(row), np.nan)
            for name in ("evaluations", "seconds")
        }
        theta = np.asarray(snapshots.theta, problem.network.dtype)
        found.append(Trajectory(str(label), problem, theta, snapshots.loss, snapshots.iteration, **columns))
    return found


def typical_seed(runs: pd.DataFrame, by: str = "method", measure: str = "loss") -> Any:
    """The seed that every method finished and at which methods are nearest to their medians.

    Nearness is that of ranks: ``mean_m |rank_m(seed) - 1/2|``, ranks from 0 to 1 within a method. So a picture of
    one seed shows a typical one and not the best.

    Raises:
        ValueError: no seed that every method finished.
    """
    done = runs[(runs["status"] == "finished") & runs[measure].notna()]
    table = done.pivot_table(index="seed", columns=by, values=measure, aggfunc="first")
    table = table.reindex(columns=list(dict.fromkeys(runs[by]))).dropna()
    if table.empty:
        raise ValueError("seeds: expected a seed that every method finished, there is none")
    ranks = (table.rank() - 0.5) / len(table)
    return (ranks - 0.5).abs().mean(axis=1).idxmin()
