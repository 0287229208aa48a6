"""One row a measurement."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from nnexp.losses.measures import measures
from nnexp.results.artifacts import DamagedFile, read_artifact
from nnexp.results.client import Source, connect, find_experiment
from nnexp.results.columns import COSTS, HISTORY, MEASURES, METRICS, RECORDED
from nnexp.results.index import Index
from nnexp.tracking.locations import local_folder

LOG = logging.getLogger(__name__)

THREADS = 8
"""Downloads from a server at once."""

FILE = "history.parquet"
RUNNING = "running"
WHOLE = ("finished", "diverged")
"""Statuses of runs that were not interrupted, so that they have written their files."""

Columns = dict[str, np.ndarray[Any, Any]]
"""One run's rows by column: those of :data:`RECORDED`, and of metrics."""


def load_history(runs: pd.DataFrame, uri: str | None = None) -> pd.DataFrame:
    """One row a measurement of ``runs``, in order of iteration for each run.

    It comes from each run's ``history.parquet``, which is kept in the local index once a run has ended. Where there is
    no such file, because a run died before or its folder cannot be reached, the fewer rows of its metrics are given;
    the ids of ended runs whose file is missing are ``attrs["without_file"]``, and a warning is logged.
    ``epochs`` are passes over the training data.

    Args:
        runs: as :func:`load_runs` gives.
        uri: the store; None for the one that the runs were loaded from.
    """
    source = connect(uri or runs.attrs.get("uri"))
    index = None
    if "experiment" in runs.attrs:
        index = Index(source, find_experiment(source, runs.attrs["experiment"]))
    kept, known = (None if index is None else index.histories()) or (None, set())
    wanted = runs[["run_id", "status"]].assign(artifact_uri=runs.get("artifact_uri"))
    missing = wanted[~wanted["run_id"].isin(known)]
    read, without = _read(source, missing, list(measures(runs.attrs.get(METRICS))))
    fresh = _stacked(read)
    # Rows of metrics in place of a file are not kept: the file may come back.
    over = set(missing.loc[missing["status"] != RUNNING, "run_id"]) - without
    if index is not None and over:
        index.keep_histories(_joined(kept, fresh[fresh["run_id"].isin(over)]), known | over)
    if kept is not None:
        fresh = _joined(kept[kept["run_id"].isin(set(wanted["run_id"]))], fresh)
    table = _described(fresh, runs)
    table.attrs[METRICS] = runs.attrs.get(METRICS, {})
    table.attrs["without_file"] = wanted.loc[
        wanted["run_id"].isin(without) & wanted["status"].isin(WHOLE), "run_id"
    ].tolist()
    if told := missing_files(table):
        LOG.warning("%s", told)
    return table


def missing_files(history: pd.DataFrame) -> str:
    """A sentence on runs with missing files, empty if there are none."""
    count = len(history.attrs.get("without_file", ()))
    if not count:
        return ""
    return (
        f"The files history.parquet of {count} of {history['run_id'].nunique()} runs are missing: their curves "
        f"are from MLflow's "
        "metrics, which have fewer rows."
    )


def _described(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Rows with their run's method and seed, in the order of runs."""
    place = pd.Index(runs["run_id"]).get_indexer(rows["run_id"].astype(str))
    order = np.argsort(place, kind="stable")
    place, rows = place[order], rows.iloc[order]
    others = [name for name in measures(runs.attrs.get(METRICS)) if name in rows and name not in MEASURES]
    columns: dict[str, Any] = {name: rows[name].to_numpy() for name in (*RECORDED, *others)}
    columns |= {name: runs[name].to_numpy()[place] for name in ("run_id", "method", "seed")}
    columns["epochs"] = columns["iteration"] * _batch_share(runs)[place]
    return pd.DataFrame({name: columns[name] for name in (*HISTORY, *others)})


def _batch_share(runs: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The share of an epoch that one iteration is: 1 for full batches, NaN where the samples are unknown."""

    def column(name: str) -> pd.Series:
        return pd.to_numeric(runs.get(name, pd.Series(np.nan, index=runs.index)), errors="coerce")

    size = column("optimizer.batch_size")
    # Records of earlier versions, and running ones, have it for generated points only.
    samples = column("samples").fillna(column("dataset.samples") * column("dataset.classes"))
    # The last batch of an epoch is shorter where the size does not divide the samples.
    return (1 / np.ceil(samples / size)).where(size.notna(), 1.0).to_numpy(float)


def _read(source: Source, missing: pd.DataFrame, names: Sequence[str]) -> tuple[dict[str, Columns], set[str]]:
    """Rows by run, and the runs without a file, whose rows are their metrics of these ``names``."""
    without: set[str] = set()

    def one(run_id: str, artifact_uri: Any) -> Columns:
        if not isinstance(artifact_uri, str) or not artifact_uri:
            artifact_uri = source.client.get_run(run_id).info.artifact_uri
        part = None
        try:
            part = read_artifact(source.client, run_id, artifact_uri, FILE, _read_file)
        except DamagedFile as error:
            LOG.warning("%s", error)
        if part is None:
            without.add(run_id)
            return _metric_history(source.client, run_id, names)
        return part

    ids, places = missing["run_id"].tolist(), missing["artifact_uri"].tolist()
    local = all(isinstance(place, str) and local_folder(place) is not None for place in places)
    if local or len(ids) < 2:
        return {name: one(name, place) for name, place in zip(ids, places, strict=True)}, without
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(ids, pool.map(one, ids, places), strict=True)), without


def _stacked(read: dict[str, Columns]) -> pd.DataFrame:
    """The rows of all runs in one table, with a column ``run_id``; a table for each run would be slow."""
    if not read:
        return pd.DataFrame(columns=["run_id", *RECORDED])
    lengths = [len(columns["iteration"]) for columns in read.values()]
    names = dict.fromkeys(name for columns in read.values() for name in columns)
    stacked = {
        name: np.concatenate([
            columns[name] if name in columns else np.full(length, np.nan)
            for columns, length in zip(read.values(), lengths, strict=True)
        ])
        for name in names
    }  # fmt: skip
    return pd.DataFrame({"run_id": np.repeat(list(read), lengths)} | stacked)


def _read_file(file: Path) -> Columns:
    # pandas' own reader, and threads, take longer for a file of a hundred rows.
    table = pq.ParquetFile(file).read(use_threads=False)
    # Files of earlier versions have no test columns.
    missing = dict.fromkeys(RECORDED, np.full(table.num_rows, np.nan))
    return missing | {name: table.column(name).to_numpy() for name in table.column_names}


def _metric_history(client: Any, run_id: str, names: Sequence[str]) -> Columns:
    columns = {
        name: {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}
        for name in (*COSTS, *names)
    }
    table = pd.DataFrame(columns, dtype=np.float64).sort_index()
    return {"iteration": table.index.to_numpy(np.int64)} | {name: table[name].to_numpy() for name in columns}


def _joined(first: pd.DataFrame | None, second: pd.DataFrame) -> pd.DataFrame:
    parts = [part.astype({"run_id": str}) for part in (first, second) if part is not None and len(part)]
    return pd.concat(parts, ignore_index=True) if parts else second
