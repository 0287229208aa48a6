"""The answers to compare: each run's measure, read at equal cost."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnexp.results import ALL_AXES, COSTS, held, measure_of

Array = np.ndarray[Any, Any]

CELL = ["task", "method", "seed"]


class Scores(NamedTuple):
    """Answers by task, method and seed.

    ``table`` has a row a run; ``values`` and ``orders`` are ``(T, M, S)``, NaN where there is no answer; in ``orders``
    lower is better, and a diverged run is infinite.
    """

    table: pd.DataFrame
    values: Array
    orders: Array
    at: pd.Series
    tasks: list[str]
    methods: list[str]
    seeds: list[Any]
    higher: bool
    """Whether higher values of the measure are better."""
    clocks: Array | None
    """At equal seconds ``(T, M, S)``: runs with the same number were timed together; else None."""
    left_out: dict[str, str]
    """Tasks on which no run has an answer, and why."""


def read_scores(
    cells: pd.DataFrame, history: pd.DataFrame, measure: str, axis: str, at: float | None = None
) -> Scores:
    """The ``measure`` of each run when it had spent ``at`` on ``axis``: the last one measured by then, else the first.

    A run that had not diverged, failed or been killed by then counts like any other. One that had diverged,
    or whose measure was not finite, has the worst value of its task, including initial values, and has the
    last rank; a failed, killed or running one has no value, because the reason is not its method. One that stopped
    early, at its target or without progress, keeps its last value.

    Args:
        cells: one row a run, with ``task``, ``variant`` and ``replicate``, as :func:`nnexp.results.label` gives.
        at: the cost; None for the largest that all finished runs of a task reach, but for those that ended early.

    Raises:
        ValueError: an unknown measure or axis, or no run with an answer.
    """
    if axis not in ALL_AXES:
        raise ValueError(f"axis={axis}: expected one of {', '.join(ALL_AXES)}")
    if measure not in history or not history[measure].notna().any():
        raise ValueError(f"measure={measure}: expected a measure that was recorded; no run has this one")
    own = history[history["run_id"].isin(set(cells["run_id"]))]
    table = pd.DataFrame(
        {
            "task": cells["task"].astype(str),
            "method": cells["variant"].astype(str),
            "seed": cells["replicate"],
            "run_id": cells["run_id"],
            "status": cells["status"],
            "early": cells["stopped"].notna() if "stopped" in cells else False,
        }
    ).reset_index(drop=True)
    table["end"] = table["run_id"].map(own.groupby("run_id")[axis].max())
    costs = _common_costs(table, at, axis)
    table["at"] = table["task"].map(costs)
    if axis == "seconds":
        table["clock"] = timed_together(cells, table["end"])
    table = _with_values(table, own, measure, axis)
    left_out = _left_out(table)
    table = table[~table["task"].isin(list(left_out))].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"measure={measure}: no run has an answer ({'; '.join(left_out.values())})")
    costs = costs[costs.index.isin(table["task"])]
    tasks, methods = list(dict.fromkeys(table["task"])), list(dict.fromkeys(table["method"]))
    seeds = sorted(set(table["seed"]), key=lambda seed: (str(type(seed)), seed))
    shape = (len(tasks), len(methods), len(seeds))
    values = np.full(shape, np.nan)
    places = tuple(
        pd.Index(known).get_indexer(table[name])
        for name, known in zip(CELL, (tasks, methods, seeds), strict=True)
    )
    values[places] = table["value"]
    higher = measure_of(history, measure).higher
    orders = -values if higher else values.copy()
    orders[tuple(place[table["diverged"]] for place in places)] = np.inf
    clocks = None
    if axis == "seconds":
        clocks = np.full(shape, -1)
        clocks[places] = table["clock"]
    return Scores(table, values, orders, costs, tasks, methods, seeds, higher, clocks, left_out)


def _common_costs(table: pd.DataFrame, at: float | None, axis: str) -> pd.Series:
    """The cost at which each task is read; a task without finished runs has none but the one that is given.

    Where all runs ended early it is the largest that one of them reached.
    """
    if at is not None:
        return pd.Series(float(at), index=pd.Index(table["task"].unique(), name="task"))
    finished = table[table["status"] == "finished"]
    whole = ~finished["early"] | finished.groupby("task")["early"].transform("all")
    by_task = finished[whole].groupby(["task", "early"], sort=False)["end"].agg(["min", "max"]).reset_index()
    costs = by_task["min"].where(~by_task["early"], by_task["max"]).set_axis(by_task["task"])
    if costs.isna().any():
        raise ValueError(f"axis={axis}: runs of task {costs.index[costs.isna()][0]} have no record of it")
    return costs


def timed_together(cells: pd.DataFrame, ends: pd.Series) -> Array:
    """A number for each run, the same for runs that were timed together: one group, or ends that are equal to the bit.

    In older records without groups, runs that were trained together have equal ends if they trained equally long.
    """
    known = cells["group"].to_numpy(object) if "group" in cells else np.full(len(cells), None)
    keys = [
        ("group", group) if isinstance(group, str) and group else ("end", end) if end == end else ("run", at)
        for at, (group, end) in enumerate(zip(known, ends, strict=True))
    ]
    return np.asarray(pd.factorize(pd.Series(keys, dtype=object))[0])


def _left_out(table: pd.DataFrame) -> dict[str, str]:
    answered = table.loc[table["value"].notna() & ~table["diverged"], "task"]
    return {
        str(task): f"{task}: {', '.join(f'{count} {status}' for status, count in counts.items())}"
        for task, rows in table[~table["task"].isin(answered)].groupby("task", sort=False)
        for counts in [rows["status"].where(~rows["diverged"], "diverged").value_counts()]
    }


def _with_values(table: pd.DataFrame, own: pd.DataFrame, measure: str, axis: str) -> pd.DataFrame:
    rows = held(own, axis, table.set_index("run_id")["at"])
    # A run without a measurement by then has its initial answer.
    begun = own[(own["iteration"] == 0) & ~own["run_id"].isin(rows["run_id"])]
    rows = pd.concat([rows, begun]).set_index("run_id")
    alive = (table["status"] == "finished") | (table["end"] >= table["at"])
    read = table["run_id"].map(rows[measure]).where(alive)
    measured = table["run_id"].map(own.groupby("run_id")[measure].count()) > 0
    # The loss has overflowed, although the run continued.
    table["diverged"] = read.isna() & ((table["status"] == "diverged") | (alive & measured))
    starts = table["run_id"].map(own.groupby("run_id")[measure].first())
    seen = pd.concat([read, starts.where(table["diverged"])], ignore_index=True)
    by_task = seen.groupby(pd.concat([table["task"]] * 2, ignore_index=True))
    worst = by_task.min() if measure_of(own, measure).higher else by_task.max()
    table["value"] = read.where(~table["diverged"], table["task"].map(worst))
    for name in COSTS:
        table[name] = table["run_id"].map(rows[name])
    return table
