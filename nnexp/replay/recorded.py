"""What the record says of a run: enough to train it again, and what it left to compare with."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.results import StoreError, load_config
from nnexp.results.artifacts import read_artifact
from nnexp.results.client import Source, find_experiment, search
from nnexp.tracking.files import HISTORY_FILE, rows_of
from nnexp.tracking.source import FOLDER

Array = np.ndarray[Any, Any]
Numbers = dict[str, Array]
"""Arrays of one file by their names."""

LATEST = "latest"
"""In place of an id: what began last, a single run or a sweep."""

FILES = (
    *(HISTORY_FILE, "weights/snapshots.npz", "weights/best.npz", "weights/final.npz"),
    "improvements.json",
)
"""The files of a run that are compared; only that of all rows must be there."""

INTERRUPTED = ("failed", "killed")
"""Statuses of runs that ended where their config does not say it."""


class Recorded(NamedTuple):
    """One run: its tags, plain config and environment, the digest of its data, and its files' numbers by path."""

    run_id: str
    tags: dict[str, str]
    config: dict[str, Any]
    environment: dict[str, Any]
    data: str
    files: dict[str, Numbers]

    @property
    def title(self) -> str:
        """What it is in a few words."""
        return f"{self.tags.get('nnexp.method', 'run')} seed {self.config.get('seed', 0)}"

    @property
    def status(self) -> str:
        """How it ended: finished, diverged, failed or killed."""
        return self.tags.get("nnexp.status", "")

    @property
    def until(self) -> int | None:
        """The iteration at which it was interrupted, or its clock ran out; None where the config says when it ends."""
        clock = (self.config.get("budget") or {}).get("seconds") is not None
        iterations = self.files[HISTORY_FILE]["iteration"]
        return int(iterations[-1]) if clock or self.status in INTERRUPTED else None


def find(source: Source, experiment: str, wanted: str) -> list[Any]:
    """The runs (of MLflow) that an id of a run or of a sweep means, or :data:`LATEST`; in order of their start.

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
    # In order of their jobs, which begin in any.
    return sorted(found, key=lambda run: int(run.data.tags.get("nnexp.job", 0)))


def read(source: Source, run: Any) -> Recorded:
    """The record of a run (of MLflow).

    Raises:
        StoreError: it goes on, has no rows, or a file of it is missing or damaged.
    """
    run_id, tags = run.info.run_id, dict(run.data.tags)
    if run.info.status == "RUNNING":
        raise StoreError("it is not over; expected a run that has ended")
    where = source.client, run_id, run.info.artifact_uri
    files: dict[str, Numbers] = {}
    for path in FILES:
        numbers = read_artifact(*where, path, partial(_numbers_in, path))
        if numbers is not None:
            files[path] = numbers
    if HISTORY_FILE not in files or not len(files[HISTORY_FILE]["iteration"]):
        raise StoreError(f"it has no {HISTORY_FILE} with rows to compare")
    environment = read_artifact(*where, "environment.json", lambda file: json.loads(file.read_text("utf-8")))
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    data = str(inputs[0].dataset.digest) if inputs else ""
    return Recorded(run_id, tags, load_config(run_id, source.uri), environment or {}, data, files)


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


def _numbers_in(path: str, file: Path) -> Numbers:
    return numbers_of(path, file.read_bytes())


def numbers_of(path: str, content: bytes) -> Numbers:
    """The numbers in a run's file but its times, which no two runs share."""
    if path == HISTORY_FILE:
        rows = rows_of(io.BytesIO(content))._asdict()
        del rows["seconds"]
        return rows
    if path.endswith(".npz"):
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    columns = json.loads(content)
    return {name: np.array(column, np.int64 if name == "iteration" else np.float64)
            for name, column in columns.items()}  # fmt: skip
