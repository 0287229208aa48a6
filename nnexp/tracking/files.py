"""The files of a run: weights, history, config and environment, all readable without pickle."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

import nnexp
from nnexp.config.modules import outside_files
from nnexp.config.settings import kinds_of, plain
from nnexp.network.layout import Layout
from nnexp.tracking.protocol import DatasetRecord, Rows
from nnexp.training.problem import Problem
from nnexp.training.record import COLUMNS, History

Array = np.ndarray[Any, Any]

MODEL_CODE = ("__init__.py", "calls.py", "config", "network")
"""The packages of nnexp that a recorded model includes."""

HISTORY_FILE = "history.parquet"
"""The file of all rows; every trained run has it."""

WEIGHTS_AT = "weights_at"
"""In the metadata of :data:`HISTORY_FILE`: the iteration of the weights, if a killed process left later rows."""

WEIGHTS_FILE = "weights.npz"
"""The file of snapshots, best and final weights, and their layout."""

MODEL_SOURCE = "code.zip"
"""The file of a model's source, from which Python imports."""


def run_files(prepared: Any, trained: Any, config_yaml: str, environment: dict[str, Any]) -> dict[str, bytes]:
    """The contents of ``weights.npz``, ``history.parquet``, ``config.yaml`` and ``environment.json`` by path.

    ``weights.npz`` holds the snapshots as ``iteration (T,)``, ``theta (T, P)`` in the order of the layout, and
    ``loss (T,)``; the named arrays of the best and the final weights as ``best/NAME`` and ``final/NAME``; and
    ``layout``, the bytes of JSON. The improvements that a search found are in the metadata of the history, the digest
    of all data is in the environment.

    Args:
        prepared: has ``problem``, as :func:`nnexp.training.prepare.prepare` gives.
        trained: has ``history``, ``snapshots``, ``best_theta``, ``final_theta`` and ``improvements``.
    """
    network = prepared.problem.network
    snapshots = trained.snapshots
    weights: dict[str, Any] = {
        "iteration": np.asarray(snapshots.iteration, np.int64),
        "theta": network.layout.export(np.asarray(snapshots.theta)),
        "loss": np.asarray(snapshots.loss, np.float64),
    }
    for name, theta in (("best", trained.best_theta), ("final", trained.final_theta)):
        if theta is not None:
            weights |= {f"{name}/{own}": array for own, array in _named(network.layout, theta).items()}
    layout = _json(network.layout.describe() | {"network": specification(prepared)})
    weights["layout"] = np.frombuffer(layout, np.uint8)
    pairs = list(trained.improvements)
    improvements = {
        "iteration": [int(pair[0]) for pair in pairs],
        "loss": [_number(pair[1]) for pair in pairs],
    }
    return {
        WEIGHTS_FILE: _npz(**weights),
        HISTORY_FILE: history_table(trained.history, {"improvements": json.dumps(improvements)}),
        "config.yaml": config_yaml.encode(),
        "environment.json": _json(environment | {"data": prepared.problem.digest}),
    }


def model_files(prepared: Any, theta: Array) -> dict[str, bytes]:
    """The files that :mod:`nnexp.tracking.model_code` loads: weights, the network's settings, and its source."""
    package = Path(nnexp.__file__).resolve().parent
    code = {
        f"nnexp/{file.relative_to(package)}": file for name in MODEL_CODE for file in _sources(package / name)
    }
    code |= outside_files(kinds_of(prepared.settings.architecture))
    return {
        "final.npz": named_arrays(prepared.problem.network.layout, theta),
        "network.json": _json(specification(prepared)),
        MODEL_SOURCE: _zipped({place: file.read_bytes() for place, file in code.items()}),
    }


def _zipped(contents: Mapping[str, bytes]) -> bytes:
    """A zip file of files; equal contents give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        # In a zip file, a folder without __init__.py is a package only if it has its own entry.
        for folder in sorted(
            {str(parent) for place in contents for parent in PurePosixPath(place).parents[:-1]}
        ):
            file.writestr(zipfile.ZipInfo(f"{folder}/"), b"")
        for place, content in sorted(contents.items()):
            file.writestr(zipfile.ZipInfo(place), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _sources(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write contents by path below ``folder``, each file atomically."""
    places = {name: folder / name for name in contents}
    for place in {place.parent for place in places.values()}:
        place.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        part = places[name].with_name(f".{places[name].name}.part")
        part.write_bytes(content)
        part.replace(places[name])


def are_whole(folder: Path) -> bool:
    """Whether a folder has a run's history and weights, and neither is cut short: their formats end with a mark."""
    try:
        with open(folder / HISTORY_FILE, "rb") as file:
            file.seek(-4, os.SEEK_END)
            return file.read() == b"PAR1" and zipfile.is_zipfile(folder / WEIGHTS_FILE)
    except OSError:
        return False


def named_arrays(layout: Layout, theta: Array) -> bytes:
    """Theta ``(P,)`` as an npz file of named arrays."""
    return _npz(**_named(layout, theta))


def _named(layout: Layout, theta: Array) -> dict[str, Any]:
    return {name: np.ascontiguousarray(view) for name, view in layout.named(np.asarray(theta)).items()}


def specification(prepared: Any) -> dict[str, Any]:
    """All that the network's outputs depend on, besides its weights."""
    settings, sizes = prepared.settings, prepared.settings.dataset.sizes()
    return {
        "architecture": plain(settings.architecture),
        "features": sizes.features,
        "outputs": sizes.outputs,
        "dtype": settings.dtype,
        "accumulate": settings.accumulate,
    }


def history_table(history: Rows, about: Mapping[str, str] | None = None) -> bytes:
    """All rows as one Parquet file, NaN where nothing was measured.

    Args:
        about: for the file's metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name, values in history.items():
        kind = np.int64 if name in ("iteration", "evaluations") else np.float64
        column = np.ascontiguousarray(values, kind)
        # From its buffer: to convert an array PyArrow imports pandas, which costs 0.2 s in every worker.
        buffers = [None, pa.py_buffer(column)]
        columns[name] = pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(column), buffers)
    out = io.BytesIO()
    pq.write_table(pa.table(columns, metadata=about), out)
    return out.getvalue()


def rows_of(file: Path | io.BytesIO) -> History:
    """The rows that :func:`history_table` wrote."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        table = opened.read(use_threads=False)
    # Files of earlier versions have no test columns.
    missing = dict.fromkeys(COLUMNS, np.full(table.num_rows, np.nan))
    return History(missing | {name: table.column(name).to_numpy() for name in table.column_names})


def about_rows(file: Path | io.BytesIO) -> dict[str, str]:
    """The metadata that :func:`history_table` was given."""
    import pyarrow.parquet as pq

    about = pq.read_schema(file).metadata or {}
    return {name.decode(): text.decode() for name, text in about.items()}


def dataset_record(name: str, problem: Problem) -> DatasetRecord:
    """A problem's data as a store describes them; the digest is over the content of all arrays."""
    train, test, validation = problem.train, problem.test, problem.validation
    features = [(f"x{index}", "double") for index in range(train.x.shape[-2])]
    classes = np.issubdtype(train.y.dtype, np.integer)
    targets = (
        [("class", "long")] if classes else [(f"y{index}", "double") for index in range(train.y.shape[-2])]
    )
    profile: dict[str, Any] = {
        "num_rows": train.x.shape[-1],
        "test_rows": 0 if test is None else test.x.shape[-1],
    }
    if validation is not None:
        profile["validation_rows"] = validation.x.shape[-1]
    if classes:
        profile["classes"] = int(np.unique(train.y).size)
    return DatasetRecord(name, problem.digest, (*features, *targets), profile)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _json(values: Any) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def _npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()
