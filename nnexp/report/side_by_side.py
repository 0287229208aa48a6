"""Sweeps, states of the code, or commits compared: the verdict, and the differences between them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from nnexp.report.material import Material, environment_of, read_runs
from nnexp.results import known_measures, load_history, settings_of
from nnexp.results.client import connect
from nnexp.results.columns import METRICS
from nnexp.results.labels import shown
from nnexp.stats.versions import BY, Versions, compare_versions
from nnexp.tracking.locations import public

MOST_VALUES = 4
"""The most values of a setting that are listed."""


class SideBySide(NamedTuple):
    """Versions compared by ``by``, and the data of their page.

    Attributes:
        differences: a row for each difference, a column for each version.
        material: their runs and histories; each version of a method is treated as a method.
        command: the command that writes this page again.
    """

    by: str
    versions: Versions
    differences: pd.DataFrame
    material: Material
    confidence: float
    command: str


def name_of(method: str, version: str) -> str:
    """The name of a version of a method, for curves; its colour is a tint of the method's.

    >>> name_of("sgd", "20261126-022851-de6c66")
    'sgd (20261126-022851-de6c66)'
    """
    return f"{method} ({version})"


def load_side_by_side(
    sweeps: Sequence[str],
    by: str = "sweep",
    uri: str | None = None,
    experiments: Sequence[str] = ("nnexp",),
    measure: str | None = None,
    axis: str | None = None,
    confidence: float = 0.95,
) -> SideBySide:
    """Read sweeps and compare the versions of ``by``, each with the first.

    Args:
        sweeps: ids, or ``latest``. One for each experiment, or all of one experiment; a single one stands for the same
            one in each experiment.
        by: ``sweep``, ``code`` or ``git``.

    Raises:
        StoreError: no such store, experiment or sweep.
        ValueError: unknown settings, or nothing to compare.
    """
    if by not in BY:
        raise ValueError(f"--by {by}: expected one of {', '.join(BY)}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence}: expected a number between 0 and 1, such as 0.95")
    if len(experiments) == 1:
        experiments = [*experiments] * len(sweeps)
    elif len(sweeps) == 1:
        sweeps = [*sweeps] * len(experiments)
    if len(sweeps) != len(experiments):
        raise ValueError(f"--experiment: expected one, or one for each of {len(sweeps)} sweeps")
    read = [read_runs(uri, name, sweep) for sweep, name in zip(sweeps, experiments, strict=True)]
    history = pd.concat([load_history(runs) for runs in read], ignore_index=True)
    metrics = {name: about for runs in read for name, about in (runs.attrs.get(METRICS) or {}).items()}
    for runs in read:
        # The attributes of one sweep do not hold for the joined table.
        runs.attrs.clear()
    together = pd.concat(read, ignore_index=True).drop_duplicates("run_id")
    history = history.drop_duplicates(["run_id", "iteration"])
    together.attrs[METRICS] = history.attrs[METRICS] = metrics
    known = [name for name in known_measures(together) if together[name].notna().any()]
    if measure is not None and measure not in known:
        raise ValueError(
            f"measure={measure}: expected one of {', '.join(known) or 'none, for no run has any'}"
        )
    versions = compare_versions(together, history, by, measure, axis, confidence)
    source = connect(uri)
    words = ["python", "-m", "nnexp.report", *dict.fromkeys(together["sweep_id"]), "--by", by]
    words += ["--uri", public(source.uri)]
    for name in dict.fromkeys(experiments):
        words += ["--experiment", name]
    return SideBySide(
        by,
        versions,
        differences(versions.runs, versions.names, source),
        _material(versions, history, source.uri),
        confidence,
        shlex.join(words),
    )


def _material(versions: Versions, history: pd.DataFrame, uri: str) -> Material:
    """The compared runs as data for a report; each version of a method is treated as a method."""
    methods = list(versions.answers["method"].unique())
    runs = versions.runs[versions.runs["variant"].isin(methods)]
    order = runs["variant"].map(methods.index) * len(versions.names) + runs["version"].map(
        versions.names.index
    )
    runs = runs.loc[order.sort_values(kind="stable").index]
    runs = runs.assign(
        variant=[name_of(*pair) for pair in zip(runs["variant"], runs["version"], strict=True)]
    )
    own = runs.set_index("run_id")
    history = history[history["run_id"].isin(own.index)]
    history = history.assign(
        method=history["run_id"].map(own["variant"]), task=history["run_id"].map(own["task"])
    )
    return Material(
        sweep=", ".join(versions.names),
        uri=uri,
        experiment="",
        runs=runs,
        history=history,
        missing=runs.iloc[:0],
        measure=versions.measure,
        judgement=None,
        why="",
        parent=None,
        all_runs=runs,
    )


def differences(runs: pd.DataFrame, names: Sequence[str], source: Any) -> pd.DataFrame:
    """The differences between versions: code, data, packages, machine and settings; a row for each."""
    rows: dict[str, list[str]] = {}
    own = [runs[runs["version"] == name] for name in names]
    for column in ("sweep_id", "code", "git_commit"):
        rows[column] = [_values(part[column]) for part in own]
    machines = [_flat(environment_of(source, part)) for part in own]
    for key in dict.fromkeys(key for machine in machines for key in machine):
        rows[key] = [machine.get(key, "–") for machine in machines]
    for name in settings_of(runs):
        rows[name] = [_values(part[name]) for part in own]
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    table = pd.DataFrame.from_dict(differing, orient="index", columns=list(names))
    return table.rename_axis("what").reset_index()


def text(found: SideBySide) -> str:
    """The verdict, and the table of differences, in Markdown."""
    lines = [found.versions.text, "", "What differs:", ""]
    if found.differences.empty:
        return "\n".join([*lines[:-1], "nothing that was recorded."]) + "\n"
    columns = [str(name) for name in found.differences]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in found.differences.itertuples(index=False):
        lines.append("| " + " | ".join(str(value).replace("|", "\\|") for value in row) + " |")
    return "\n".join(lines) + "\n"


def _flat(machine: dict[str, Any]) -> dict[str, str]:
    """A recorded environment as names and values, without the commit, which is a column of the runs."""
    flat = {}
    for name, value in machine.items():
        if name == "git":
            flat["uncommitted changes"] = str(bool((value or {}).get("dirty"))).lower()
        elif name == "blas":
            flat[name] = " ".join(map(str, (value or {}).values()))
        elif isinstance(value, dict):
            flat |= {str(key): str(inner) for key, inner in value.items()}
        else:
            flat[str(name)] = str(value)
    return flat


def _values(column: pd.Series) -> str:
    texts = list(dict.fromkeys(shown(value) for value in column))
    numbers = [int(text) for text in texts if text.isdigit()]
    if len(texts) > MOST_VALUES and len(numbers) == len(texts):
        return f"{min(numbers)} to {max(numbers)} ({len(texts)} values)"
    more = f" and {len(texts) - MOST_VALUES} more" if len(texts) > MOST_VALUES else ""
    return ", ".join(sorted(texts[:MOST_VALUES])) + more
