"""One row a run."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pandas as pd

from nnexp.results.artifacts import read_artifact
from nnexp.results.client import Source, connect, find_experiment, search
from nnexp.results.index import Index
from nnexp.results.records import Record, by_job, table
from nnexp.tracking.locations import StoreError
from nnexp.tracking.parent import DESIGN, EXTENDED, UNTIL

LOG = logging.getLogger(__name__)

LATEST = "latest"
"""In place of a sweep's id: the sweep whose last run began last."""


def load_runs(
    uri: str | None = None,
    experiment: str = "nnexp",
    sweep: str | None = None,
    filter: str | None = None,
) -> pd.DataFrame:
    """One row a run: sweeps by their starts, a sweep's runs by its jobs, including failed, killed and running ones.

    ``status`` is finished, diverged, failed, killed or running. Final metrics are the last recorded, NaN
    for a diverged run, whose answer has no loss. ``stopped`` is what ended a run before its budget was spent
    (``target``, ``patience``), ``code`` the hash of the code that computed it, ``git_commit`` that of its source.
    Params have dotted names and their own types. Parent runs of multiruns are left out, and runs without params, which
    ``attrs["without_params"]`` counts. ``group`` is the same for runs that were trained together in one process, None
    for one that was trained alone, or recorded before groups were. Where ``sweep`` names one that ran until it was
    decided, ``attrs["design"]`` is its record; ``attrs["extended"]`` says when a sweep was extended. Without ``filter``
    only what changed since the last call is asked of the store, the rest comes from an index beside an SQLite file, or
    in the user's cache for a server.

    Args:
        uri: the store; None for ``MLFLOW_TRACKING_URI``, else ``runs/mlflow.db`` here.
        sweep: only runs of the sweep with this id, or of the ``latest`` one.
        filter: a condition in MLflow's search syntax, such as ``params.seed = '3'``.

    Raises:
        StoreError: no such store, experiment or sweep.
    """
    source = connect(uri)
    found = find_experiment(source, experiment)
    if filter and sweep != LATEST:
        condition = " and ".join([filter, *([f"tags.`nnexp.sweep_id` = '{sweep}'"] if sweep else [])])
        records = [Record.of(run) for run in search(source, found.experiment_id, condition)]
    else:
        records = list(Index(source, found).refresh().values())
        if sweep == LATEST:
            sweep = _latest(records, experiment)
        if filter:
            return load_runs(uri, experiment, sweep, filter)
    chosen = [
        record
        for record in records
        if record.tags.get("nnexp.kind") != "sweep"
        and (sweep is None or record.tags.get("nnexp.sweep_id") == sweep)
    ]
    if sweep and not chosen:
        raise StoreError(f"sweep={sweep}: there is no sweep with this id in experiment {experiment}")
    # A run whose params were not recorded cannot be compared.
    bare = sum(not record.params for record in chosen)
    if bare:
        LOG.warning("%d run%s without params left out", bare, " is" if bare == 1 else "s are")
    runs = table(by_job([record for record in chosen if record.params]))
    runs.attrs.update(uri=source.uri, experiment=experiment, without_params=bare)
    if sweep:
        runs.attrs.update(_of_parent(source, found.experiment_id, sweep, records))
    return runs


def _of_parent(source: Source, experiment_id: str, sweep: str, records: list[Record]) -> dict[str, str]:
    """The parent's record of how a sweep's seeds were chosen: the text of its ``design``, when it was ``extended``."""
    condition = f"tags.`nnexp.sweep_id` = '{sweep}' and tags.`nnexp.kind` = 'sweep'"
    there = [record for record in records if record.tags.get("nnexp.kind") == "sweep"]
    parents = [record for record in there if record.tags.get("nnexp.sweep_id") == sweep] or [
        Record.of(run) for run in search(source, experiment_id, condition)
    ]
    if not parents:
        return {}
    parent = parents[0]
    said = {"extended": parent.tags[EXTENDED]} if EXTENDED in parent.tags else {}
    if UNTIL not in parent.tags:
        return said
    read = partial(Path.read_text, encoding="utf-8")
    text = read_artifact(source.client, parent.run_id, parent.artifact_uri, DESIGN, read)
    return said if text is None else said | {"design": text}


def _latest(records: list[Record], experiment: str) -> str:
    swept = [record for record in records if record.tags.get("nnexp.sweep_id")]
    if not swept:
        raise StoreError(f"sweep={LATEST}: there is no sweep in experiment {experiment}")
    return swept[-1].tags["nnexp.sweep_id"]
