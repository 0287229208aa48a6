"""Sweeps, states of the code or commits side by side: the verdict, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from nnexp.report.material import environment_of, read_runs
from nnexp.results import COSTS, KEYS, known_measures, load_history
from nnexp.results.client import connect
from nnexp.results.columns import METRICS
from nnexp.stats.versions import BY, Versions, compare_versions

MOST_VALUES = 4
"""Values of a setting that are spelled out."""


class SideBySide(NamedTuple):
    """Versions compared, and a row for everything in which they differ, a column for each version."""

    versions: Versions
    differences: pd.DataFrame


def load_side_by_side(
    sweeps: Sequence[str],
    by: str = "sweep",
    uri: str | None = None,
    experiments: Sequence[str] = ("nnexp",),
    measure: str | None = None,
    axis: str | None = None,
    confidence: float = 0.95,
) -> SideBySide:
    """Read sweeps and compare what ``by`` tells apart, each with the first.

    Args:
        sweeps: ids, or ``latest``. One for each experiment, or all of one experiment; one of several experiments is
            that one of each.
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
        # Frames are joined below, and what one sweep's parent says is not of all.
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
    return SideBySide(versions, differences(together, by, versions.names, connect(uri)))


def differences(runs: pd.DataFrame, by: str, names: Sequence[str], source: Any) -> pd.DataFrame:
    """What differs between versions: code, data, packages, machine and settings; a row each."""
    rows: dict[str, list[str]] = {}
    own = [runs[runs[BY[by]].astype(str) == name] for name in names]
    for column in ("sweep_id", "code", "git_commit"):
        rows[column] = [_values(part[column]) for part in own]
    machines = [_flat(environment_of(source, part)) for part in own]
    for key in dict.fromkeys(key for machine in machines for key in machine):
        rows[key] = [machine.get(key, "–") for machine in machines]
    skipped = {*KEYS, *known_measures(runs), *COSTS, "reason"}
    settings = [
        name for name in runs if name not in skipped and not str(name).startswith(("tracking.", "sweep."))
    ]
    for name in ["seed", *settings]:
        rows[str(name)] = [_values(part[name]) for part in own]
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    table = pd.DataFrame.from_dict(differing, orient="index", columns=list(names))
    return table.rename_axis("what").reset_index()


def text(found: SideBySide) -> str:
    """The verdict, and the table of what differs in Markdown."""
    lines = [found.versions.text, "", "What differs:", ""]
    if found.differences.empty:
        return "\n".join([*lines[:-1], "nothing that was recorded."]) + "\n"
    columns = [str(name) for name in found.differences]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in found.differences.itertuples(index=False):
        lines.append("| " + " | ".join(str(value).replace("|", "\\|") for value in row) + " |")
    return "\n".join(lines) + "\n"


def _flat(machine: dict[str, Any]) -> dict[str, str]:
    """A recorded environment as names and values; the commit is told by the runs."""
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
    shown = list(dict.fromkeys(_shown(value) for value in column))
    numbers = [int(value) for value in shown if value.isdigit()]
    if len(shown) > MOST_VALUES and len(numbers) == len(shown):
        return f"{min(numbers)} to {max(numbers)} ({len(shown)} values)"
    more = f" and {len(shown) - MOST_VALUES} more" if len(shown) > MOST_VALUES else ""
    return ", ".join(sorted(shown[:MOST_VALUES])) + more


def _shown(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if value is None or (isinstance(value, float) and value != value):
        return "null"
    return value if isinstance(value, str) else json.dumps(value, default=str)
