"""Recorded runs as tidy tables: one row a run, one row a measurement, and weights over time."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd

from nnexp.layout import Layout
from nnexp.tracking.locations import StoreError, database, resolve

Array = np.ndarray[Any, Any]
Read = TypeVar("Read")

LATEST = "latest"
"""In place of a sweep's id: the one whose last run began last."""

MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy")
AXES = ("iteration", "evaluations", "seconds")
KEYS = ("run_id", "name", "status", "sweep_id", "method", "seed", "started")
HISTORY = ("run_id", "method", "seed", *AXES, *MEASURES)
COSTS = ("evaluations", "seconds")

PAGE = 1000


class Snapshots(NamedTuple):
    """A run's weights over time: ``iteration (T,)``, ``theta (T, P)`` in ``layout``, ``loss (T,)``."""

    iteration: Array
    theta: Array
    loss: Array
    layout: Layout


def load_runs(
    uri: str | None = None,
    experiment: str = "nnexp",
    sweep: str | None = None,
    filter: str | None = None,
) -> pd.DataFrame:
    """One row a run, in order of their start; failed, killed and running ones among them.

    ``status`` is finished, diverged, failed, killed or running. Final metrics are the last recorded, NaN
    for a diverged run, whose answer has no loss. Params have dotted names and their own types. Parent runs
    of multiruns are left out.

    Args:
        uri: the store; None for ``MLFLOW_TRACKING_URI``, else ``runs/mlflow.db`` here.
        sweep: only runs of the sweep with this id, or of the ``latest`` one.
        filter: a condition in MLflow's search syntax, such as ``params.seed = '3'``.

    Raises:
        StoreError: no such store, experiment or sweep.
    """
    client, store = _client(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        raise StoreError(f"tracking.experiment={experiment}: there is none of this name in {store}")
    if sweep == LATEST:
        sweep = _latest(client, found.experiment_id, experiment)
    conditions = [f"tags.`nnexp.sweep_id` = '{sweep}'"] if sweep else []
    conditions += [filter] if filter else []
    runs, token = [], None
    while True:
        page = client.search_runs(
            [found.experiment_id],
            " and ".join(conditions),
            max_results=PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            break
    table = pd.DataFrame([_row(run) for run in runs if run.data.tags.get("nnexp.kind") != "sweep"])
    if sweep and table.empty:
        raise StoreError(f"sweep={sweep}: there is none of this id in experiment {experiment}")
    for name in [*KEYS, *MEASURES, *COSTS]:
        if name not in table:
            table[name] = pd.Series(np.nan if name in MEASURES + COSTS else None, index=table.index)
    first = [*KEYS, *MEASURES, *COSTS]
    table = table[[*first, *sorted(set(table.columns) - set(first))]]
    table.attrs["uri"] = store
    return table


def load_history(runs: pd.DataFrame, uri: str | None = None) -> pd.DataFrame:
    """One row a measurement of ``runs``, in order of iteration for each run.

    It comes from each run's ``history.parquet``, or from its metrics where a run died before writing it.

    Args:
        runs: as :func:`load_runs` gives.
        uri: the store; None for the one that the runs were loaded from.
    """
    client, _ = _client(uri or runs.attrs.get("uri"))
    parts = []
    for run_id, method, seed in zip(runs["run_id"], runs["method"], runs["seed"], strict=True):
        part = _artifact(client, run_id, "history.parquet", pd.read_parquet)
        part = _metric_history(client, run_id) if part is None else part
        parts.append(part.assign(run_id=run_id, method=method, seed=seed)[list(HISTORY)])
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(HISTORY))


def load_snapshots(run_id: str, uri: str | None = None) -> Snapshots:
    """The weights that a run kept on its way, the first and the last among them.

    Raises:
        StoreError: no such store, or no weights in the run.
    """
    client, _ = _client(uri)
    about = _required(client, run_id, "weights/layout.json", lambda file: json.loads(file.read_text("utf-8")))
    layout = Layout(tuple(about["sizes"]))

    def read(file: Path) -> Snapshots:
        with np.load(file, allow_pickle=False) as arrays:
            theta = layout.restore(arrays["theta"])
            return Snapshots(arrays["iteration"], theta, arrays["loss"], layout)

    return _required(client, run_id, "weights/snapshots.npz", read)


def load_config(run_id: str, uri: str | None = None) -> dict[str, Any]:
    """The composed config of a run as plain data.

    Raises:
        StoreError: no such store, or no config in the run.
    """
    import yaml

    client, _ = _client(uri)
    return dict(
        _required(client, run_id, "config.yaml", lambda file: yaml.safe_load(file.read_text("utf-8")))
    )


def summary(runs: pd.DataFrame, by: str = "method") -> pd.DataFrame:
    """How the runs of each method ended: counts, and mean, standard deviation and median of each measure.

    ``n`` finished runs are described. Diverged, failed and killed ones are counted, in ``lost``, and not
    described: a comparison should say how many there are.
    """
    rows = []
    for label, group in runs.groupby(by, sort=False):
        done = group[group["status"] == "finished"]
        row: dict[str, Any] = {by: label, "n": len(done), "lost": len(group) - len(done)}
        for name in MEASURES:
            values = pd.to_numeric(done[name]).dropna()
            row |= {
                f"{name}_mean": values.mean(),
                f"{name}_sd": values.std(),
                f"{name}_median": values.median(),
            }
        row |= {name: pd.to_numeric(done[name]).median() for name in COSTS}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.dropna(axis=1, how="all") if len(table) else table


def grid(history: pd.DataFrame, axis: str, points: int = 200) -> Array:
    """Logarithmic places along ``axis`` at which every run has been measured, up to the longest run's end."""
    rows = history[["run_id", axis]]
    first = float(rows.groupby("run_id")[axis].min().max())
    positive = rows[rows[axis] > max(first, 0)]
    if positive.empty:
        return np.array([first])
    low = float(positive.groupby("run_id")[axis].min().min())
    return np.unique(np.concatenate([[first], np.geomspace(low, float(positive[axis].max()), points)]))


def on_grid(
    history: pd.DataFrame,
    axis: str = "iteration",
    at: Sequence[float] | Array | None = None,
    best: bool = False,
) -> pd.DataFrame:
    """The measures of every run at the same places along ``axis``, so that runs can be averaged.

    A run's value at a place is the last one measured by then, held and never interpolated; after a run's
    end it is its last value, before its first measurement NaN.

    Args:
        axis: ``iteration``, ``evaluations`` or ``seconds``.
        at: the places; None for :func:`grid`'s.
        best: whether to hold the measurement with the lowest training loss by then, not the last one.

    Raises:
        ValueError: an unknown axis.
    """
    if axis not in AXES:
        raise ValueError(f"axis={axis}: expected one of {', '.join(AXES)}")
    places = grid(history, axis) if at is None else np.unique(np.asarray(at, np.float64))
    parts = []
    for (run_id, method), rows in history.groupby(["run_id", "method"], sort=False, dropna=False):
        rows = rows.sort_values("iteration")
        held = np.arange(len(rows))
        if best:
            loss = rows["loss"].fillna(np.inf).to_numpy()
            lower = np.concatenate([[True], loss[1:] < np.minimum.accumulate(loss)[:-1]])
            held = np.maximum.accumulate(np.where(lower, held, 0))
        index = np.searchsorted(rows[axis].to_numpy(np.float64), places, side="right") - 1
        values = rows[list(MEASURES)].to_numpy(np.float64)[held[index.clip(0)]]
        values[index < 0] = np.nan
        part = pd.DataFrame(values, columns=list(MEASURES))
        part.insert(0, axis, places)
        part.insert(0, "seed", rows["seed"].iloc[0])
        part.insert(0, "method", method)
        part.insert(0, "run_id", run_id)
        parts.append(part)
    if not parts:
        return pd.DataFrame(columns=["run_id", "method", "seed", axis, *MEASURES])
    return pd.concat(parts, ignore_index=True)


def _client(uri: str | None) -> tuple[Any, str]:
    """MLflow's client for a store that is there: reading never makes one."""
    store = resolve(uri)
    file = database(store)
    if file is not None and not file.exists():
        raise StoreError(f"tracking.uri={store}: there is no such file; a first run makes it")
    # MLflow takes more than a second to import, and only this module's functions need it.
    from nnexp.tracking import mlflow_store

    return mlflow_store.MlflowClient(tracking_uri=store), store


def _latest(client: Any, experiment_id: str, experiment: str) -> str:
    found = client.search_runs(
        [experiment_id], "tags.`nnexp.sweep_id` != ''", max_results=1, order_by=["attributes.start_time DESC"]
    )
    if not found:
        raise StoreError(f"sweep={LATEST}: there is no sweep in experiment {experiment}")
    return str(found[0].data.tags["nnexp.sweep_id"])


def _row(run: Any) -> dict[str, Any]:
    tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
    status = tags.get("nnexp.status", run.info.status.lower())
    ended = status != "diverged"
    values = {name: _typed(text) for name, text in params.items()}
    row = {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "status": status,
        "sweep_id": tags.get("nnexp.sweep_id"),
        "method": tags.get("nnexp.method", values.get("optimizer.name")),
        "seed": values.pop("seed", None),
        "started": pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
        "reason": tags.get("nnexp.reason", ""),
    }
    row |= {name: metrics.get(name, np.nan) if ended else np.nan for name in MEASURES}
    row |= {name: metrics.get(name, np.nan) for name in COSTS}
    return row | values


def _typed(text: str) -> Any:
    """A param's value as it was: number, truth value, None or list where it reads as one, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _artifact(client: Any, run_id: str, path: str, read: Callable[[Path], Read]) -> Read | None:
    """What ``read`` makes of an artifact, None if there is no such file."""
    where = urlsplit(client.get_run(run_id).info.artifact_uri)
    if where.scheme in ("", "file"):
        file = Path(unquote(where.path)) / path
        return read(file) if file.exists() else None
    folder, _, _ = path.rpartition("/")
    if path not in [item.path for item in client.list_artifacts(run_id, folder or None)]:
        return None
    with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
        return read(Path(client.download_artifacts(run_id, path, place)))


def _required(client: Any, run_id: str, path: str, read: Callable[[Path], Read]) -> Read:
    found = _artifact(client, run_id, path, read)
    if found is None:
        raise StoreError(f"run_id={run_id}: it has no artifact {path}")
    return found


def _metric_history(client: Any, run_id: str) -> pd.DataFrame:
    columns = {
        name: {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}
        for name in (*COSTS, *MEASURES)
    }
    table = pd.DataFrame(columns, dtype=np.float64).sort_index()
    return table.rename_axis("iteration").reset_index()
