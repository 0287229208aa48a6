"""The data of a report: a sweep's runs, histories and judgement, and its parent run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from nnexp.report.paper import task_order
from nnexp.results import (
    LATEST,
    StoreError,
    known_measures,
    label,
    load_history,
    load_runs,
    missing_cells,
)
from nnexp.results.artifacts import read_artifact
from nnexp.results.client import connect, find_experiment, search
from nnexp.stats import Judgement, Selection, default_measure, judge, select_best
from nnexp.tracking.locations import database, public, resolve
from nnexp.tracking.views import describe

MOST_COMPARED = 12
"""The most variants of methods that are compared; with more the best of each method."""


@dataclass
class Material:
    """The data of a sweep's report.

    For a sweep of many settings ``runs``, ``history`` and ``judgement`` are of the best setting of each method, on
    seeds that did not choose it; ``all_runs`` are all runs, and ``selection`` is the choice.

    ``runs`` have the columns ``variant``, ``task`` and ``replicate``; in ``history`` ``method`` is the variant.
    ``judgement`` is None where methods cannot be compared, and ``why`` is the reason.
    """

    sweep: str
    uri: str
    experiment: str
    runs: pd.DataFrame
    history: pd.DataFrame
    missing: pd.DataFrame
    measure: str
    judgement: Judgement | None
    why: str
    parent: str | None
    all_runs: pd.DataFrame
    selection: Selection | None = None
    tags: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    trusted: list[str] = field(default_factory=list)
    """Modules outside nnexp that may be imported for parts of the runs."""

    @property
    def uri_shown(self) -> str:
        """The store's URI without a password."""
        return public(self.uri)

    @property
    def tasks(self) -> list[str]:
        """The tasks by name."""
        return task_order(self.runs["task"])

    @property
    def methods(self) -> list[str]:
        """The methods and their variants, best first where they were compared."""
        if self.judgement is not None and self.judgement.comparisons:
            known = list(next(iter(self.judgement.comparisons.values())).methods)
            return [*known, *(name for name in dict.fromkeys(self.runs["variant"]) if name not in known)]
        return list(dict.fromkeys(self.runs["variant"]))


def load_material(
    sweep: str = LATEST,
    uri: str | None = None,
    experiment: str = "nnexp",
    measure: str | None = None,
    confidence: float = 0.95,
    task: Sequence[str] | None = None,
    method: str | None = None,
) -> Material:
    """Read a sweep and judge it.

    Args:
        task: settings that make a task; None for those that vary and belong to no method.
        method: the setting whose values are compared; None for the optimizer and what varies in it.

    Raises:
        StoreError: no such store, experiment or sweep.
        ValueError: an unknown measure or setting, or an invalid confidence.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: expected a number between 0 and 1, such as 0.95")
    runs = read_runs(uri, experiment, sweep)
    measures = [name for name in known_measures(runs) if runs[name].notna().any()]
    if measure is not None and measure not in measures:
        raise ValueError(
            f"measure={measure}: expected one of {', '.join(measures) or 'none, for no run has any'}"
        )
    every, chosen, history, selection, judgement, why = judged(
        runs, load_history, measure, confidence, task, method
    )
    sweep_id = str(every["sweep_id"].iloc[0])
    source = connect(runs.attrs.get("uri"))
    parent = find_parent(source, experiment, sweep_id)
    tags = dict(parent.data.tags) if parent is not None else {}
    return Material(
        sweep=sweep_id,
        uri=source.uri,
        experiment=experiment,
        runs=chosen,
        history=history,
        missing=_missing(source, parent, every, task, method),
        measure=measure or default_measure(chosen),
        judgement=judgement,
        why=why,
        parent=None if parent is None else parent.info.run_id,
        all_runs=every,
        selection=selection,
        tags=tags,
        environment=environment_of(source, chosen),
    )


class Judged(NamedTuple):
    """All runs, those that are compared with their history, the chosen settings, and the answer."""

    every: pd.DataFrame
    runs: pd.DataFrame
    history: pd.DataFrame
    selection: Selection | None
    judgement: Judgement | None
    why: str


def judged(
    runs: pd.DataFrame,
    read_history: Callable[[pd.DataFrame], pd.DataFrame],
    measure: str | None = None,
    confidence: float = 0.95,
    task: Sequence[str] | None = None,
    method: str | None = None,
) -> Judged:
    """Compare the methods of ``runs``; with very many settings the best of each, on seeds that did not choose it."""
    attrs = dict(runs.attrs)
    every = label(runs, task, method)
    every.attrs.update(attrs)
    selection = None
    if method is None and every["variant"].nunique() > max(MOST_COMPARED, every["method"].nunique()):
        selection = select_best(runs, task=task)
        runs = selection.runs
    runs = label(runs, task, method)
    runs.attrs.update(attrs)
    history = read_history(runs)
    judgement, why = None, ""
    try:
        judgement = judge(runs, history, measure=measure, task=task, method=method, confidence=confidence)
    except ValueError as error:
        why = str(error)
    names = runs.set_index("run_id")[["variant", "task"]]
    named = {"method": names["variant"], "task": names["task"]}
    shown = history.assign(**{column: history["run_id"].map(name) for column, name in named.items()})
    return Judged(every, runs, shown, selection, judgement, why)


def _missing(
    source: Any, parent: Any, runs: pd.DataFrame, task: Sequence[str] | None, method: str | None
) -> pd.DataFrame:
    """Cells without a finished run; in a tuned sweep the status of those that were not started is pruned."""
    found = missing_cells(runs, task, method)
    if parent is None or found.empty:
        return found
    trials = read_artifact(
        source.client, parent.info.run_id, parent.info.artifact_uri, "trials.csv", pd.read_csv
    )
    if trials is not None and bool(trials["pruned"].any()):
        found["status"] = found["status"].replace("missing", "pruned")
    return found


def read_runs(uri: str | None, experiment: str, sweep: str) -> pd.DataFrame:
    """The runs of a sweep.

    Raises:
        StoreError: no such store, experiment or sweep, or a store that is not MLflow's.
    """
    store = resolve(uri)
    try:
        if database(store) is None:
            from nnexp.tracking.servers import ask_health

            ask_health(store)
        return load_runs(uri, experiment, sweep)
    except StoreError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(f"tracking.uri={public(store)}: expected an MLflow store ({first})") from error


def find_parent(source: Any, experiment: str, sweep: str) -> Any:
    """MLflow's parent run of a sweep, None where there is none."""
    found = find_experiment(source, experiment)
    condition = f"tags.`nnexp.sweep_id` = '{sweep}' and tags.`nnexp.kind` = 'sweep'"
    return next(iter(search(source, found.experiment_id, condition)), None)


def record(material: Material, page: str, name: str = "report.html") -> str:
    """Record the page as ``name`` with the sweep's parent run and return the run's id.

    Raises:
        StoreError: the sweep has no parent run, or the store takes no file.
    """
    import tempfile
    from pathlib import Path

    if material.parent is None:
        raise StoreError(f"sweep={material.sweep}: expected a sweep with a parent run, to record the page")
    source = connect(material.uri)
    with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
        file = Path(place) / name
        file.write_text(page, encoding="utf-8")
        try:
            source.client.log_artifact(material.parent, str(file))
        except Exception as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise StoreError(
                f"tracking.uri={material.uri}: the page could not be recorded in this store ({first})"
            ) from error
    if name == "report.html":
        find = find_experiment(source, material.experiment)
        describe(source.client, find.experiment_id, material.parent, material.sweep, name)
    return material.parent


def environment_of(source: Any, runs: pd.DataFrame) -> dict[str, Any]:
    """The environment of the first run that recorded one."""
    for row in runs.itertuples():
        found = read_artifact(
            source.client,
            row.run_id,
            row.artifact_uri,
            "environment.json",
            lambda f: json.loads(f.read_text("utf-8")),
        )
        if found:
            return dict(found)
    return {}
