"""Files of runs: read directly if they are on this machine, else downloaded."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from nnexp.network.layout import Layout
from nnexp.results.client import connect
from nnexp.tracking.files import WEIGHTS_FILE
from nnexp.tracking.locations import StoreError, folders, local_folder, public
from nnexp.tracking.outcome import reason_of

Array = np.ndarray[Any, Any]
Read = TypeVar("Read")


class DamagedFile(StoreError):
    """A run's file exists and cannot be read."""


class MissingFile(StoreError):
    """A run has no such file."""


class Snapshots(NamedTuple):
    """A run's weights over time: ``iteration (T,)``, ``theta (T, P)`` in ``layout``, ``loss (T,)``."""

    iteration: Array
    theta: Array
    loss: Array
    layout: Layout


def load_snapshots(run_id: str, uri: str | None = None) -> Snapshots:
    """The snapshots of a run's weights, including the first and the last.

    Raises:
        StoreError: no such store, or no weights in the run.
    """
    client, _ = connect(uri)

    def read(file: Path) -> Snapshots:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return _snapshots(arrays, Layout.from_description(json.loads(arrays["layout"].tobytes())))

    try:
        return required_artifact(client, run_id, WEIGHTS_FILE, read)
    except MissingFile as missing:
        try:
            return _earlier_snapshots(client, run_id)
        except MissingFile:
            raise missing from None


def _earlier_snapshots(client: Any, run_id: str) -> Snapshots:
    """The same for a run of an earlier version, which recorded them in separate files."""

    def described(file: Path) -> Layout:
        return Layout.from_description(json.loads(file.read_text("utf-8")))

    layout = required_artifact(client, run_id, "weights/layout.json", described)

    def read(file: Path) -> Snapshots:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return _snapshots(arrays, layout)

    return required_artifact(client, run_id, "weights/snapshots.npz", read)


def _snapshots(arrays: Any, layout: Layout) -> Snapshots:
    return Snapshots(arrays["iteration"], layout.restore(arrays["theta"]), arrays["loss"], layout)


def load_config(run_id: str, uri: str | None = None) -> dict[str, Any]:
    """The composed config of a run as plain data.

    Raises:
        StoreError: no such store, or no config in the run.
    """
    import yaml

    client, _ = connect(uri)
    return dict(
        required_artifact(client, run_id, "config.yaml", lambda file: yaml.safe_load(file.read_text("utf-8")))
    )


def read_artifact(
    client: Any, run_id: str, artifact_uri: str, path: str, read: Callable[[Path], Read]
) -> Read | None:
    """The result of ``read`` for an artifact, None if there is no such file.

    Files beside the SQLite file are preferred to those at its place when the run was recorded.

    Raises:
        DamagedFile: it cannot be read.
        StoreError: the file is on a server, and the store is the server's database.
    """
    for place in folders(client.tracking_uri, run_id, artifact_uri):
        if (place / path).exists():
            return _whole(run_id, place / path, read)
    if local_folder(artifact_uri) is not None:
        return None
    if artifact_uri.startswith("mlflow-artifacts:") and not client.tracking_uri.startswith("http"):
        raise StoreError(
            f"tracking.uri={public(client.tracking_uri)}: its files are on a server; expected the server's "
            f"http:// address"
        )
    folder, _, _ = path.rpartition("/")
    if path not in [item.path for item in client.list_artifacts(run_id, folder or None)]:
        return None
    with tempfile.TemporaryDirectory(prefix="nnexp-") as downloaded:
        return _whole(run_id, Path(client.download_artifacts(run_id, path, downloaded)), read, path)


def _whole(run_id: str, file: Path, read: Callable[[Path], Read], shown: str = "") -> Read:
    try:
        return read(file)
    except Exception as error:
        # Parquet, NumPy's zip files, JSON and YAML each have errors of their own.
        raise DamagedFile(f"run_id={run_id}: {shown or file} is damaged ({reason_of(error)})") from error


def required_artifact(client: Any, run_id: str, path: str, read: Callable[[Path], Read]) -> Read:
    """The result of ``read`` for an artifact.

    Raises:
        DamagedFile: it cannot be read.
        StoreError: the run has no such file.
    """
    artifact_uri = client.get_run(run_id).info.artifact_uri
    found = read_artifact(client, run_id, artifact_uri, path, read)
    if found is None:
        places = folders(client.tracking_uri, run_id, artifact_uri) or [artifact_uri]
        looked = " and ".join(dict.fromkeys(map(str, places)))
        raise MissingFile(f"run_id={run_id}: the run has no artifact {path}; expected it in {looked}")
    return found
