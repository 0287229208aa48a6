"""Tuned against default: the choice of a setting for each method, and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from nnexp.results import COSTS, measure_of
from nnexp.results.labels import cells, label, left_out
from nnexp.stats.measure import tuning_measure


class Selection(NamedTuple):
    """The chosen setting of each method, on seeds that did not choose it.

    ``runs`` are those to compare, with the columns ``tuned`` (whether it was chosen among several settings),
    ``tuning_of`` (of which method), ``tuning_settings``, ``tuning_runs``, ``tuning_evaluations`` and
    ``tuning_seconds``; ``costs`` has a row a method: ``method``, ``settings``, ``chosen``, ``tuned``, ``runs``,
    ``evaluations``, ``seconds``; ``warnings`` are sentences.
    """

    runs: pd.DataFrame
    costs: pd.DataFrame
    warnings: list[str]


def select_best(
    runs: pd.DataFrame,
    measure: str | None = None,
    seeds: Sequence[int] | None = None,
    task: Sequence[str] | None = None,
    apart: Sequence[str] = (),
) -> Selection:
    """Choose each method's setting by its mean ``measure`` over tasks on ``seeds``, which are then left out.

    The best of many noisy means looks better than it is; seeds that did not choose it give a fair estimate. A setting
    with an unfinished run on these seeds is chosen only if all settings have one.

    Args:
        measure: of the runs' ends; None for ``val_loss``, else ``loss``.
        seeds: that choose; None for the first half of those that there are.
        apart: settings whose values are separate methods, such as ``optimizer.momentum``, and are not chosen.

    Raises:
        ValueError: an unknown measure, or none of the seeds.
    """
    measure = measure or tuning_measure(runs)
    if measure not in runs or runs[measure].isna().all():
        raise ValueError(f"measure={measure}: expected a measure that was recorded; no run has this one")
    found = cells(runs, task).assign(tuning_of=lambda rows: _methods(rows, apart))
    warnings = list(filter(None, [left_out(found)]))
    known = sorted(found["seed"].dropna().unique())
    choosing = known[: len(known) // 2] if seeds is None else list(seeds)
    on = found[found["seed"].isin(choosing)]
    if on.empty and len(known) > 1:
        raise ValueError(f"seeds={list(choosing)}: expected some of {known}")
    if set(known) <= set(choosing) or len(known) < 2:
        warnings.append(
            "Settings were chosen on the seeds that are compared: they look better than they are, and intervals "
            "and tests do not correct for that."
        )
        on, after = (found if on.empty else on), found
    else:
        after = found[~found["seed"].isin(choosing)]
    rows: list[dict[str, Any]] = []
    for method, own in on.groupby("tuning_of", sort=False):
        settings, chosen = own["variant"].nunique(), _best(own, measure)
        cost = own if settings > 1 else own.iloc[:0]
        rows.append(
            {
                "method": method,
                "settings": settings,
                "chosen": chosen,
                "tuned": settings > 1,
                "runs": len(cost),
            }
            | {name: float(cost[name].sum()) for name in COSTS}
        )
    costs = pd.DataFrame(rows)
    tuned = costs["tuned"].unique()
    if len(tuned) > 1:
        shown = [f"{row.method} among {row.settings}" for row in costs.itertuples() if row.tuned]
        default = ", ".join(costs.loc[~costs["tuned"], "method"])
        warnings.append(f"Tuned against default: {', '.join(shown)} settings, but {default} had one.")
    kept = after[after["variant"].isin(set(costs["chosen"]))]
    renamed = {"runs": "tuning_runs", "settings": "tuning_settings"} | {n: f"tuning_{n}" for n in COSTS}
    extra = costs.drop(columns="chosen").rename(columns=renamed | {"method": "tuning_of"})
    marked = kept.drop(columns=["variant", "task", "replicate"]).merge(extra, on="tuning_of", how="left")
    marked.attrs = dict(runs.attrs)
    return Selection(marked, costs, warnings)


def tuning_table(cells: pd.DataFrame) -> pd.DataFrame:
    """One row a method: how many settings of it are compared or were chosen among, and what choosing cost.

    Columns: method, settings, tuned, runs, evaluations, seconds. Without a choice before, ``runs`` and costs are
    0, and ``settings`` are those compared side by side.
    """
    rows = []
    for method, own in cells.groupby("tuning_of" if "tuning_of" in cells else "method", sort=False):
        tuned = bool(own["tuned"].iloc[0]) if "tuned" in own else False
        first = own.iloc[0]
        rows.append(
            {
                "method": method,
                "settings": int(first["tuning_settings"]) if tuned else own["variant"].nunique(),
                "tuned": tuned,
                "runs": int(first["tuning_runs"]) if tuned else 0,
                "evaluations": float(first["tuning_evaluations"]) if tuned else 0.0,
                "seconds": float(first["tuning_seconds"]) if tuned else 0.0,
            }
        )
    return pd.DataFrame(rows)


def tuning_text(table: pd.DataFrame) -> str:
    """Which methods were tuned, at what cost, and which were compared in several settings."""
    parts = [
        f"{row.method} was chosen among {row.settings} settings on other seeds, at a cost of {row.runs} runs, "
        f"{row.evaluations:,.0f} evaluations and {row.seconds:,.3g} seconds"
        for row in table.itertuples()
        if row.tuned
    ]
    parts += [
        f"{row.method} is compared in {row.settings} settings, each a method of its own in the correction"
        for row in table.itertuples()
        if not row.tuned and row.settings > 1
    ]
    alone = [row.method for row in table.itertuples() if not row.tuned and row.settings == 1]
    if alone:
        parts.append(f"{', '.join(alone)} ran with one setting, not tuned here")
    return "Tuning: " + "; ".join(parts) + "."


def _methods(runs: pd.DataFrame, apart: Sequence[str]) -> pd.Series:
    """The method of each run, with the settings that are kept apart."""
    known = ["optimizer.name", *apart]
    others = [name for name in runs if name.startswith("optimizer.") and name not in known]
    return label(runs.drop(columns=others))["variant"]


def _best(own: pd.DataFrame, measure: str) -> str:
    """The variant with the best mean over tasks of its means; one with a lost run is after all others."""
    values = own.assign(value=own[measure].where(own["status"] == "finished"))
    by_task = values.groupby(["variant", "task"], sort=False)["value"].agg(["mean", "count", "size"])
    table = by_task.groupby("variant", sort=False).agg({"mean": "mean", "count": "sum", "size": "sum"})
    table["lost"] = table["size"].max() - table["count"]
    ascending = not measure_of(own, measure).higher
    return str(table.sort_values(["lost", "mean"], ascending=[True, ascending], kind="stable").index[0])
