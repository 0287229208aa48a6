"""New stores as copies of one that was made once: MLflow takes a second to make one."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path


def copy_new_stores() -> None:
    """From now on this process copies new stores. Other processes make their own."""
    from nnexp.tracking import connections, mlflow_store

    if isinstance(mlflow_store._make, partial):
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        mlflow_store._make(file)
        connections.close()
        mlflow_store._make = partial(_copy, file.read_bytes())


def new_store(file: Path) -> None:
    """Make a store in a file, so that processes that use it need not."""
    from nnexp.tracking import mlflow_store

    copy_new_stores()
    file.parent.mkdir(parents=True, exist_ok=True)
    mlflow_store._make(file)


def _copy(content: bytes, file: Path) -> None:
    for end in ("-wal", "-shm"):
        # Left by a renamed or deleted file: SQLite would apply its transactions to the new one.
        file.with_name(file.name + end).unlink(missing_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(content)
    part.replace(file)
