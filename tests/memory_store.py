"""A store in memory, with the protocol of stores and without MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.tracking.protocol import STATUSES, DatasetRecord, Rows, points

Array = np.ndarray[Any, Any]


class MemoryRun:
    """One run; its attributes have everything recorded."""

    def __init__(
        self, run_id: str, name: str, params: Mapping[str, str], tags: Mapping[str, str], parent: str | None
    ) -> None:
        self.run_id, self.name, self.parent = run_id, name, parent
        self.params, self.tags = dict(params), dict(tags)
        self.status = "RUNNING"
        self.metrics: dict[str, list[tuple[int, float]]] = {}
        self.artifacts: dict[str, bytes] = {}
        self.images: dict[str, dict[int, Array]] = {}
        self.datasets: list[DatasetRecord] = []
        self.model: dict[str, bytes] | None = None

    def record(
        self,
        rows: Rows | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> None:
        for point in points(rows) if rows is not None else ():
            self.metrics.setdefault(point.key, []).append((point.step, point.value))
        for key, value in (numbers or {}).items():
            if np.isfinite(value):
                self.metrics.setdefault(key, []).append((step, float(value)))
        self.params.update(params or {})
        self.tags.update(tags or {})

    def log_artifacts(self, folder: Path) -> None:
        self.artifacts.update(_contents(folder))

    def log_files(self, contents: Mapping[str, bytes]) -> None:
        self.artifacts.update(contents)

    def log_images(self, images: Iterable[tuple[int, Array]], key: str = "boundary") -> None:
        self.images.setdefault(key, {}).update(images)

    def log_dataset(self, dataset: DatasetRecord) -> None:
        self.datasets.append(dataset)

    def log_model(self, folder: Path, example: Array) -> None:
        self.model = _contents(folder)

    def finish(self, status: str, tags: Mapping[str, str] | None = None, ended: int | None = None) -> None:
        if status not in STATUSES:
            raise ValueError(f"status={status}: expected one of {', '.join(STATUSES)}")
        self.tags.update(tags or {})
        self.status = status


class MemoryStore:
    """Runs in a list, in order of their start."""

    uri = "memory:"

    def __init__(self, experiment: str = "nnexp") -> None:
        self.experiment = experiment
        self.runs: list[MemoryRun] = []

    def start(
        self,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        parent: str | None = None,
        started: int | None = None,
    ) -> MemoryRun:
        run = MemoryRun(f"{len(self.runs):032x}", name, params, tags, parent)
        self.runs.append(run)
        return run

    def run_url(self, run_id: str) -> str:
        return f"memory:{run_id}"

    def experiment_url(self) -> str:
        return self.uri

    def ui_command(self) -> str:
        return self.uri


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
