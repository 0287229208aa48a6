"""Names of methods and tasks, from the settings in which the runs of a sweep differ; and missing runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from nnexp.results.columns import COSTS, DIGEST, GIVEN, KEYS, PATH, known_measures

Array = np.ndarray[Any, Any]

METHOD = "optimizer."
NAME = "optimizer.name"
SEEDS = "seeds."
NO_TASK = ("tracking.", "budget.", "sweep.")
"""Prefixes of settings that do not make a task."""

NO_RESULT = ("optimizer.block",)
"""Settings that do not change a run's answer."""

LONGEST = 60
"""The most characters of a value in a label; longer ones are shown as a hash."""

MOST_SETTINGS = 3
"""The most settings in a task's name; where more vary, only those that are needed to identify tasks."""

BEST = {"finished": 0, "diverged": 1, "running": 2, "killed": 3, "failed": 4}
"""The order of several runs of one cell: by how far they got, then the latest; the first counts."""


def label(runs: pd.DataFrame, task: Sequence[str] | None = None, method: str | None = None) -> pd.DataFrame:
    """``runs`` with the columns ``variant``, ``task`` and ``replicate``, which name the cells of a sweep.

    ``variant`` is the method with those of its own settings that vary among its runs and are in use
    (``sgd``, ``sgd momentum=0.9``); ``task`` the settings that vary and belong to no method (``spiral
    classes=5``), the budget among them where a method was trained with several; ``replicate`` what runs of
    different methods are paired by: the seed, with those of single random streams where they vary.

    Args:
        task: columns that make a task; None for dataset, architecture, loss and all else that varies.
        method: the column that names the methods; None for the optimizer and what varies in it.

    Raises:
        ValueError: an unknown column.
    """
    for name in [*(task or []), *([method] if method else [])]:
        if name not in runs:
            raise ValueError(f"{name}: expected a column of the runs, such as dataset.name or optimizer.name")
    labelled = runs.copy()
    labelled["variant"] = _variants(runs) if method is None else runs[method].map(_named)
    taken = {method} if method else set()
    labelled["task"] = _tasks(runs, _task_columns(runs, taken) if task is None else list(task))
    labelled["replicate"] = _replicates(runs)
    if task is None and (budgets := _mixed_budgets(labelled)):
        # Another budget makes another task, so that no table compares a method's long runs with another's short ones.
        columns = _task_columns(runs, taken) or [name for name in ("dataset.name",) if name in runs]
        labelled["task"] = _tasks(runs, [*columns, *budgets])
    labelled.attrs = dict(runs.attrs)
    return labelled


def cells(runs: pd.DataFrame, task: Sequence[str] | None = None, method: str | None = None) -> pd.DataFrame:
    """One labelled run for each cell (task, variant, replicate): if there are several, the one that got furthest.

    The number of others is ``attrs["left_out"]``.
    """
    labelled = label(runs, task, method)
    rank = labelled["status"].map(BEST).fillna(len(BEST))
    ordered = labelled.assign(_rank=rank).sort_values(
        ["_rank", "started"], ascending=[True, False], kind="stable"
    )
    kept = ordered.drop_duplicates(["task", "variant", "replicate"]).drop(columns="_rank")
    found = kept.loc[kept.index.sort_values()]
    found.attrs["left_out"] = len(labelled) - len(found)
    return found


def left_out(found: pd.DataFrame) -> str:
    """A sentence on the runs that :func:`cells` left out, empty if there are none."""
    count = found.attrs.get("left_out", 0)
    if not count:
        return ""
    return (
        f"Left out: {count} of {len(found) + count} runs, because another run has the same task, method and "
        f"seed; the one that "
        "got furthest counts, then the latest."
    )


def missing_cells(
    runs: pd.DataFrame, task: Sequence[str] | None = None, method: str | None = None
) -> pd.DataFrame:
    """Cells of the grid task x variant x replicate without a finished run, and why.

    The grid is that of all tasks, variants and replicates that occur. ``status`` is the run's, or
    ``missing`` where there is none; ``reason`` is the run's.
    """
    found = cells(runs, task, method)
    keys = ["task", "variant", "replicate"]
    if found.empty:
        return pd.DataFrame(columns=[*keys, "status", "reason", "run_id"])
    full = pd.MultiIndex.from_product([found[name].unique() for name in keys], names=keys)
    table = found.set_index(keys)[["status", "reason", "run_id"]].reindex(full).reset_index()
    table["status"] = table["status"].fillna("missing")
    table[["reason", "run_id"]] = table[["reason", "run_id"]].fillna("")
    if found.attrs.get("design"):
        # A sweep that chooses its seeds gives a method only as many as it needs.
        table = table[table["status"] != "missing"]
    return table[table["status"] != "finished"].reset_index(drop=True)


def _mixed_budgets(labelled: pd.DataFrame) -> list[str]:
    """The settings of the budget that vary, if a method was trained with several budgets on the same task and seed."""
    varied = [name for name in labelled if name.startswith("budget.") and _varies(labelled[name])]
    if not varied:
        return []
    budgets = labelled[varied].map(shown).agg(" ".join, axis=1)
    several = budgets.groupby([labelled[name] for name in ("task", "variant", "replicate")]).nunique() > 1
    return varied if several.any() else []


def _numbered(column: pd.Series) -> tuple[Array, list[str]]:
    """For each value, lists among them, the number of its text that can be compared; and the texts."""
    codes: Any = slice(None)
    values = column
    if column.dtype != object:
        # A thousand runs have few different values.
        codes, values = column.factorize(use_na_sentinel=False)
    texts = [shown(value) for value in values.tolist()]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return np.array([numbers[text] for text in texts], int)[codes], list(numbers)


def _text(column: pd.Series) -> pd.Series:
    numbers, texts = _numbered(column)
    return pd.Series(pd.array(texts, "str").take(numbers), column.index)


def _varies(column: pd.Series) -> bool:
    return len(_numbered(column)[1]) > 1


def _tells(runs: pd.DataFrame, name: str) -> bool:
    """Whether runs differ in a setting, compared only between runs with the same option of its group."""
    option = f"{name.rpartition('.')[0]}.name"
    if name == option or option not in runs:
        return _varies(runs[name])
    options, names = _numbered(runs[option])
    values, texts = _numbered(runs[name])
    return len(np.unique(options * len(texts) + values)) > len(names)


def shown(value: Any) -> str:
    """A setting's value as text that can be compared, the same for a number whatever its column's type."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        # pandas stores whole numbers with gaps as floats.
        return str(int(value))
    if value is None or (isinstance(value, float) and value != value):
        return "null"
    return json.dumps(value) if isinstance(value, list | dict | bool) else str(value)


def _named(value: Any) -> str:
    """A value for a label."""
    text = shown(value)
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()[:16]


def _file(path: Any) -> str:
    """A file's name without its folders."""
    return _named(PurePath(path).name if isinstance(path, str) else path)


def _used(value: Any) -> bool:
    """Whether a setting is in use: null, 0 and false mean that it is not."""
    return shown(value) not in ("null", "0", "false", "")


def _variants(runs: pd.DataFrame) -> pd.Series:
    names = runs["method"].map(shown)
    own = [name for name in runs if name.startswith(METHOD) and name != NAME and name not in NO_RESULT]
    labels = names.copy()
    for _, rows in runs.groupby(names, sort=False):
        for name in [name for name in own if _tells(rows, name)]:
            values = rows[name]
            # A part is shown by its name: schedule=constant.
            short = name.removeprefix(METHOD).removesuffix(".name")
            extra = values.map(lambda value, short=short: f" {short}={_named(value)}" if _used(value) else "")
            labels.loc[rows.index] += extra
    return labels


def _task_columns(runs: pd.DataFrame, taken: set[str]) -> list[str]:
    known = {*KEYS, *known_measures(runs), *COSTS, "reason", *taken}
    if DIGEST in runs and runs[DIGEST].notna().equals(_given(runs)):
        known |= set(GIVEN)
    if DIGEST in runs and PATH in runs and _varies(runs[PATH]):
        # Files are identified by their names if these differ exactly where their contents do.
        data = pd.DataFrame(
            {"name": runs[PATH].map(_file), "digest": runs[DIGEST].map(shown)}
        ).drop_duplicates()
        known.add(DIGEST if data["name"].is_unique and data["digest"].is_unique else PATH)
    varied = [
        name
        for name in runs
        if name not in known
        and not name.startswith((METHOD, SEEDS, *NO_TASK))
        and "." in name + ("." if name in ("dtype", "streams", "accumulate") else "")
        and _tells(runs, name)
    ]
    return varied if len(varied) <= MOST_SETTINGS else _needed(runs, varied)


def _needed(runs: pd.DataFrame, columns: list[str]) -> list[str]:
    """The columns that are needed to identify tasks; the dataset's name first, then names of other options."""
    kept: list[str] = []
    cells = pd.Series("", index=runs.index)
    for name in sorted(
        columns, key=lambda name: (name != "dataset.name", not name.endswith(".name"), name.count("."))
    ):
        finer = cells + "\0" + _text(runs[name])
        if finer.nunique() > cells.nunique():
            kept.append(name)
            cells = finer
    return [name for name in columns if name in kept]


def _given(runs: pd.DataFrame) -> pd.Series:
    """Whether each run has given data."""
    columns = [runs[name] for name in GIVEN if name in runs]
    return pd.concat(columns, axis=1).notna().any(axis=1) if columns else pd.Series(False, index=runs.index)


def _tasks(runs: pd.DataFrame, columns: list[str]) -> pd.Series:
    if not columns:
        columns = [name for name in ("dataset.name",) if name in runs]
    labels = pd.Series("", index=runs.index)
    # Names of options come first, without the setting's name.
    for name in sorted(columns, key=lambda name: not name.endswith(".name")):
        short = name.rpartition(".")[2]
        named = runs[name].map(_file if name == PATH else _named)
        labels += " " + (named if short == "name" else short + "=" + named)
    return labels.str.strip().replace("", "task")


def _replicates(runs: pd.DataFrame) -> pd.Series:
    varied = [name for name in runs if name.startswith(SEEDS) and _varies(runs[name])]
    if not varied:
        return runs["seed"]
    labels = runs["seed"].map(shown)
    for name in varied:
        labels = labels + f" {name.removeprefix(SEEDS)}=" + runs[name].map(shown)
    return labels
