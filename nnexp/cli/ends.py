"""The results of a command's runs as tables for the statistics, in memory, without reading the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from nnexp.cli.summary import MOST_COMPARED
from nnexp.losses.measures import spoken
from nnexp.results.budget import STEP, budget_axis
from nnexp.results.columns import COSTS, measure_of
from nnexp.results.labels import label
from nnexp.results.records import Record, table
from nnexp.stats.comparison import compare
from nnexp.stats.intervals import Estimate, median
from nnexp.stats.measure import default_measure
from nnexp.stats.power import fewest_seeds
from nnexp.sweep.view import Row
from nnexp.tracking.metric_tag import metric_tag
from nnexp.tracking.plain import flatten

LOG = logging.getLogger(__name__)


class Line(NamedTuple):
    """The finished runs of one variant of a method on one task; ``states`` counts all others by status."""

    task: str
    method: str
    runs: int
    states: dict[str, int]
    value: Estimate
    accuracy: float
    evaluations: float
    seconds: float


class Ends(NamedTuple):
    """A command's runs by task and method, the best first, and the verdict.

    ``about`` is the name of the measure; ``verdict`` is one sentence, empty where there is nothing to compare;
    ``needed`` is the least number of seeds that can show a difference, 0 where there are enough.
    """

    about: str
    lines: list[Line]
    verdict: str
    needed: int


def ends(rows: Sequence[Row], verdict: str = "") -> Ends:
    """The table by method, and the verdict at equal cost of the budget's kind, from the ends of runs.

    Args:
        verdict: of a sweep that has one, by its own rules.
    """
    runs = label(table([_record(row) for row in rows]))
    history = pd.DataFrame([_end(row) for row in rows])
    history.attrs.update(runs.attrs)
    measure = default_measure(runs)
    lines = [
        _line(str(task), str(method), own, measure)
        for (task, method), own in runs.groupby(["task", "variant"], sort=False)
    ]
    tasks = list(dict.fromkeys(line.task for line in lines))
    about = measure_of(runs, measure)
    sign = -1.0 if about.higher else 1.0
    # Unknown values come last.
    lines.sort(key=lambda line: (tasks.index(line.task), _last(sign * float(line.value.value))))
    return Ends(spoken(about), lines, *((verdict, 0) if verdict else _verdict(runs, history, measure)))


def _verdict(runs: pd.DataFrame, history: pd.DataFrame, measure: str) -> tuple[str, int]:
    variants, methods = runs["variant"].nunique(), runs["method"].nunique()
    if variants < 2:
        return "", 0
    if variants > max(MOST_COMPARED, methods):
        # On the seeds that chose it, the best setting looks better than it is.
        return (
            f"{variants} settings: the report compares the best of each method, on seeds that were not used to "
            f"choose it.",
            0,
        )
    axis = budget_axis(runs, history)
    finished = history[history["run_id"].isin(runs.loc[runs["status"] == "finished", "run_id"])]
    costs = finished.merge(runs[["run_id", "task"]], on="run_id").groupby("task")[axis]
    if axis == "seconds" or bool((costs.max() - costs.min() > STEP[axis]).any()):
        return "Runs ended at different costs: the report compares them at equal cost.", 0
    try:
        found = compare(runs, history, measure, axis)
    except ValueError as error:
        LOG.debug("verdict", exc_info=True)
        return f"Methods are not compared: {error}.", 0
    most, needed = found.overall["observations"].max(), fewest_seeds(0.05 / len(found.overall))
    return found.verdict.splitlines()[0], needed if most < needed else 0


def _line(task: str, method: str, own: pd.DataFrame, measure: str) -> Line:
    done = own[own["status"] == "finished"]
    states = own.loc[own["status"] != "finished", "status"].value_counts().to_dict()
    accuracy = measure.replace("loss", "accuracy")
    return Line(
        task, method, len(own), states, median(done[measure].to_numpy(float)),
        float(done[accuracy].dropna().median()) if accuracy in done else float("nan"),
        float(done["evaluations"].dropna().median()), float(done["seconds"].dropna().median()),
    )  # fmt: skip


def _last(value: float) -> float:
    return value if value == value else float("inf")


def _id(row: Row) -> str:
    return row.run_id or f"job {row.job}"


def _record(row: Row) -> Record:
    metrics = {name: float(value) for name, value in _numbers(row).items() if value == value}
    tags = {"nnexp.status": row.status, "nnexp.method": row.method} | metric_tag(row.config.metrics)
    return Record(_id(row), row.method, "FINISHED", 0, 0, "", tags, flatten(row.config), metrics)


def _end(row: Row) -> dict[str, Any]:
    return {
        "run_id": _id(row),
        "method": row.method,
        "seed": row.seed,
        "iteration": row.iterations,
    } | _numbers(row)


def _numbers(row: Row) -> dict[str, float]:
    return row.measures | {name: getattr(row, name) for name in COSTS}
