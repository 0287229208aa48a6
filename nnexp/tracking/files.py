"""The files that a run leaves: weights, history, config and environment, all readable without pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.datasets import Data
from nnexp.layout import Layout
from nnexp.network import Network
from nnexp.tracking.protocol import METRICS, DatasetRecord, Rows

Array = np.ndarray[Any, Any]


def write_run_files(
    folder: Path, prepared: Any, session: Any, config_yaml: str, environment: dict[str, Any]
) -> None:
    """Write ``weights/``, ``history.parquet``, ``config.yaml`` and ``environment.json`` below ``folder``.

    ``weights/snapshots.npz`` holds ``iteration (T,)``, ``theta (T, P)`` in the order of
    ``weights/layout.json``, and ``loss (T,)``; ``best.npz`` and ``final.npz`` hold named arrays.

    Args:
        prepared: has ``problem``, as :func:`nnexp.session.prepare` gives.
        session: has ``history``, ``snapshots``, ``best_theta``, ``final_theta`` and ``improvements``.
    """
    network: Network = prepared.problem.network
    weights = folder / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    snapshots = session.snapshots
    np.savez(
        weights / "snapshots.npz",
        iteration=np.asarray(snapshots.iteration, np.int64),
        theta=network.layout.export(np.asarray(snapshots.theta)),
        loss=np.asarray(snapshots.loss, np.float64),
    )
    _write_json(weights / "layout.json", network.layout.describe() | {"network": specification(network)})
    for name, theta in (("best", session.best_theta), ("final", session.final_theta)):
        if theta is not None:
            write_theta(weights / f"{name}.npz", network.layout, theta)
    write_history(folder / "history.parquet", session.history)
    pairs = list(session.improvements)
    improvements = {
        "iteration": [int(pair[0]) for pair in pairs],
        "loss": [_number(pair[1]) for pair in pairs],
    }
    _write_json(folder / "improvements.json", improvements)
    (folder / "config.yaml").write_text(config_yaml, encoding="utf-8")
    _write_json(folder / "environment.json", environment)


def write_theta(file: Path, layout: Layout, theta: Array) -> None:
    """Write theta ``(P,)`` as named arrays."""
    named: dict[str, Any] = {
        name: np.ascontiguousarray(view) for name, view in layout.named(np.asarray(theta)).items()
    }
    np.savez(file, **named)


def write_model_files(folder: Path, network: Network, theta: Array) -> None:
    """Write what :mod:`nnexp.tracking.model_code` loads: ``final.npz`` and ``network.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_theta(folder / "final.npz", network.layout, theta)
    _write_json(folder / "network.json", specification(network))


def specification(network: Network) -> dict[str, Any]:
    """What it takes to compute the network's outputs, besides its weights."""
    return {
        "sizes": list(network.layout.sizes),
        "activation": network.activation.name,
        "output": network.output,
        "dtype": network.dtype.name,
        "accumulate": network.wide.name if network.wide is not None else None,
    }


def write_history(file: Path, history: Rows) -> None:
    """Write all rows as one Parquet file: ``iteration`` and the metrics, NaN where nothing was measured."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"iteration": np.asarray(history.iteration, np.int64)}
    for name in METRICS:
        kind = np.int64 if name == "evaluations" else np.float64
        columns[name] = np.asarray(getattr(history, name), kind)
    pq.write_table(pa.table(columns), file)


def dataset_record(name: str, train: Data, test: Data | None) -> DatasetRecord:
    """What a store is told of the data; the digest is over the content of all arrays."""
    digest = hashlib.sha256()
    for array in [*train, *(test or ())]:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    features = [(f"x{index}", "double") for index in range(train.x.shape[-2])]
    classes = np.issubdtype(train.y.dtype, np.integer)
    targets = (
        [("class", "long")] if classes else [(f"y{index}", "double") for index in range(train.y.shape[-2])]
    )
    profile: dict[str, Any] = {
        "num_rows": train.x.shape[-1],
        "test_rows": 0 if test is None else test.x.shape[-1],
    }
    if classes:
        profile["classes"] = int(np.unique(train.y).size)
    return DatasetRecord(name, digest.hexdigest()[:16], (*features, *targets), profile)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _write_json(file: Path, values: Any) -> None:
    file.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
