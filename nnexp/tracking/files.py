"""The files that a run leaves: weights, history, config and environment, all readable without pickle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.data.datasets import Data
from nnexp.network.layout import Layout
from nnexp.network.network import Network
from nnexp.tracking.protocol import METRICS, DatasetRecord, Rows

Array = np.ndarray[Any, Any]

HISTORY_FILE = "history.parquet"
"""The file of all rows, which every run leaves that was trained."""


def run_files(prepared: Any, session: Any, config_yaml: str, environment: dict[str, Any]) -> dict[str, bytes]:
    """The contents of ``weights/``, ``history.parquet``, ``config.yaml`` and ``environment.json`` by path.

    ``weights/snapshots.npz`` holds ``iteration (T,)``, ``theta (T, P)`` in the order of
    ``weights/layout.json``, and ``loss (T,)``; ``best.npz`` and ``final.npz`` hold named arrays.

    Args:
        prepared: has ``problem``, as :func:`nnexp.training.session.prepare` gives.
        session: has ``history``, ``snapshots``, ``best_theta``, ``final_theta`` and ``improvements``.
    """
    network: Network = prepared.problem.network
    snapshots = session.snapshots
    found = {
        "weights/snapshots.npz": _npz(
            iteration=np.asarray(snapshots.iteration, np.int64),
            theta=network.layout.export(np.asarray(snapshots.theta)),
            loss=np.asarray(snapshots.loss, np.float64),
        ),
        "weights/layout.json": _json(network.layout.describe() | {"network": specification(network)}),
    }
    for name, theta in (("best", session.best_theta), ("final", session.final_theta)):
        if theta is not None:
            found[f"weights/{name}.npz"] = named_arrays(network.layout, theta)
    pairs = list(session.improvements)
    improvements = {
        "iteration": [int(pair[0]) for pair in pairs],
        "loss": [_number(pair[1]) for pair in pairs],
    }
    return found | {
        HISTORY_FILE: history_table(session.history),
        "improvements.json": _json(improvements),
        "config.yaml": config_yaml.encode(),
        "environment.json": _json(environment),
    }


def model_files(network: Network, theta: Array) -> dict[str, bytes]:
    """What :mod:`nnexp.tracking.model_code` loads: ``final.npz`` and ``network.json``."""
    return {
        "final.npz": named_arrays(network.layout, theta),
        "network.json": _json(specification(network)),
    }


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write contents by path below ``folder``."""
    places = {name: folder / name for name in contents}
    for place in {place.parent for place in places.values()}:
        place.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        places[name].write_bytes(content)


def named_arrays(layout: Layout, theta: Array) -> bytes:
    """Theta ``(P,)`` as an npz file of named arrays."""
    named: dict[str, Any] = {
        name: np.ascontiguousarray(view) for name, view in layout.named(np.asarray(theta)).items()
    }
    return _npz(**named)


def specification(network: Network) -> dict[str, Any]:
    """What it takes to compute the network's outputs, besides its weights."""
    return {
        "sizes": list(network.layout.sizes),
        "activation": network.activation.name,
        "output": network.output,
        "dtype": network.dtype.name,
        "accumulate": network.wide.name if network.wide is not None else None,
    }


def history_table(history: Rows) -> bytes:
    """All rows as one Parquet file: ``iteration`` and the metrics, NaN where nothing was measured."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in ("iteration", *METRICS):
        kind = np.int64 if name in ("iteration", "evaluations") else np.float64
        column = np.ascontiguousarray(getattr(history, name), kind)
        # By its buffer: to convert an array PyArrow loads pandas, a fifth of a second in every worker.
        buffers = [None, pa.py_buffer(column)]
        columns[name] = pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(column), buffers)
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


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


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def _npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()
