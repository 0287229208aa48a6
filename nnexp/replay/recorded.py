"""The record of a run: all that is needed to train it again, and the numbers to compare with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.results import StoreError, load_config
from nnexp.results.artifacts import read_artifact
from nnexp.results.client import Source, find_experiment, search
from nnexp.tracking.files import HISTORY_FILE, WEIGHTS_AT, WEIGHTS_FILE, about_rows, rows_of
from nnexp.tracking.source import FOLDER

Array = np.ndarray[Any, Any]
Numbers = dict[str, Array]
"""Arrays by name; next to an ``iteration`` array they have one row for each iteration."""

HISTORY = "history"
"""The key of the numbers of all rows; the others are ``snapshots``, ``best``, ``final`` and ``improvements``."""

LATEST = "latest"
"""In place of an id: the single run or sweep that began last."""

INTERRUPTED = ("failed", "killed")
"""Statuses of runs that were interrupted, so that their config does not determine their end."""


class Recorded(NamedTuple):
    """One run: its tags, plain config and environment, and its numbers by kind."""

    run_id: str
    tags: dict[str, str]
    config: dict[str, Any]
    environment: dict[str, Any]
    numbers: dict[str, Numbers]

    @property
    def status(self) -> str:
        """How it ended: finished, diverged, failed or killed."""
        return self.tags.get("nnexp.status", "")

    @property
    def until(self) -> int | None:
        """The iteration at which an interruption or a budget of seconds ended it; None if the config determines it."""
        clock = (self.config.get("budget") or {}).get("seconds") is not None
        iterations = self.numbers[HISTORY]["iteration"]
        return int(iterations[-1]) if clock or self.status in INTERRUPTED else None


def find(source: Source, experiment: str, wanted: str) -> list[Any]:
    """The runs (of MLflow) of an id of a run or of a sweep, or of :data:`LATEST`, in order of their jobs.

    Raises:
        StoreError: there is none.
    """
    from nnexp.tracking.mlflow_store import find_run

    place = find_experiment(source, experiment).experiment_id
    sweep: str | None = wanted
    if wanted == LATEST:
        runs = list(search(source, place, "tags.`nnexp.kind` = 'run'"))
        if not runs:
            raise StoreError(f"{LATEST}: expected a run in experiment {experiment}; there is none")
        sweep = runs[-1].data.tags.get("nnexp.sweep_id")
        if sweep is None:
            return runs[-1:]
    elif wanted.isalnum() and (run := find_run(source.client, wanted)) is not None:
        if run.data.tags.get("nnexp.kind") != "sweep":
            return [run]
        place, sweep = run.info.experiment_id, run.data.tags["nnexp.sweep_id"]
    text = str(sweep).replace("'", "")
    found = list(search(source, place, f"tags.`nnexp.kind` = 'run' and tags.`nnexp.sweep_id` = '{text}'"))
    if not found:
        raise StoreError(
            f"{wanted}: expected the id of a run, or of a sweep in experiment {experiment}, or {LATEST}"
        )
    # In order of jobs, which may begin in any order.
    return sorted(found, key=lambda run: int(run.data.tags.get("nnexp.job", 0)))


def read(source: Source, run: Any) -> Recorded:
    """The record of a run (of MLflow).

    Raises:
        StoreError: it has not ended, has no rows, or one of its files is missing or damaged.
    """
    run_id, tags = run.info.run_id, dict(run.data.tags)
    if run.info.status == "RUNNING":
        raise StoreError("it has not ended; expected a run that has ended")
    where = source.client, run_id, run.info.artifact_uri
    numbers: dict[str, Numbers] = {}
    for path, read_numbers in READERS.items():
        numbers |= read_artifact(*where, path, partial(_read, read_numbers)) or {}
    if HISTORY not in numbers or not len(numbers[HISTORY]["iteration"]):
        raise StoreError(f"it has no {HISTORY_FILE} with rows to compare")
    environment = read_artifact(*where, "environment.json", lambda file: json.loads(file.read_text("utf-8")))
    return Recorded(run_id, tags, load_config(run_id, source.uri), environment or {}, numbers)


def source_of(source: Source, run: Any) -> dict[str, bytes]:
    """The files below ``source/`` by path, of a run (of MLflow) and of its parent; see :mod:`nnexp.tracking.source`."""
    from nnexp.tracking.mlflow_store import find_run

    found: dict[str, bytes] = {}
    parent = run.data.tags.get("mlflow.parentRunId")
    for one in (find_run(source.client, parent) if parent else None, run):
        if one is not None:
            where = source.client, one.info.run_id, one.info.artifact_uri
            found |= read_artifact(*where, FOLDER, _contents) or {}
    return found


def _contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def _read(read_numbers: Callable[[bytes], dict[str, Numbers]], file: Path) -> dict[str, Numbers]:
    return read_numbers(file.read_bytes())


def _of_history(content: bytes) -> dict[str, Numbers]:
    """The rows as far as the weights go, without their times, which always differ, and a search's improvements."""
    about, rows = about_rows(io.BytesIO(content)), dict(rows_of(io.BytesIO(content)))
    rows.pop("seconds")
    known = rows["iteration"] <= float(about.get(WEIGHTS_AT, inf))
    rows = {name: column[known] for name, column in rows.items()}
    pairs = json.loads(about.get("improvements", "{}"))
    kinds = {"iteration": np.int64, "loss": np.float64}
    improvements = {name: np.array(column, kinds[name]) for name, column in pairs.items()}
    return {HISTORY: rows} | ({"improvements": improvements} if improvements else {})


def _of_weights(content: bytes) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {"snapshots": {}, "best": {}, "final": {}}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for name in arrays.files:
            of, _, own = name.partition("/")
            if own:
                found[of][own] = arrays[name]
            elif name != "layout":
                found["snapshots"][name] = arrays[name]
    return found


READERS = {HISTORY_FILE: _of_history, WEIGHTS_FILE: _of_weights}
"""Functions that read the numbers of each file; the file of all rows is required."""


def numbers_of(contents: Mapping[str, bytes]) -> dict[str, Numbers]:
    """The numbers in a run's files."""
    return {name: numbers for path, read_numbers in READERS.items()
            for name, numbers in read_numbers(contents[path]).items()}  # fmt: skip
