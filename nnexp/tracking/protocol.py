"""The protocol of a store of runs: the MLflow store and the one in memory are interchangeable."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

STATUSES = ("FINISHED", "FAILED", "KILLED")

BROUGHT_IN = "nnexp.brought_in"
"""The experiment's tag that says when runs of earlier came into it: who knows its runs must ask for all of them."""


def milliseconds() -> int:
    """The time now, since 1970."""
    return time.time_ns() // 1_000_000


Rows = Mapping[str, Any]
"""Columns ``(T,)`` of what was measured at T iterations, by name, NaN where it was not.

``iteration``, ``evaluations`` and ``seconds`` are among them.
"""


class Point(NamedTuple):
    """One finite measurement: metric's name, value, iteration, and seconds of training."""

    key: str
    value: float
    step: int
    seconds: float


class DatasetRecord(NamedTuple):
    """A dataset as a store describes it: name, digest of its content, columns and their types, sizes."""

    name: str
    digest: str
    columns: tuple[tuple[str, str], ...]
    profile: Mapping[str, Any]
    context: str = "training"


class Shared(NamedTuple):
    """The content of a sweep's views: its methods, its measures of held-out data, and a run that may have pictures.

    ``log`` says whether the loss may have a logarithmic axis; ``accuracy`` is empty if there is none.
    """

    sweep: str
    methods: tuple[str, ...]
    loss: str
    accuracy: str
    log: bool
    run_id: str


class Run(Protocol):
    """One run that is being recorded."""

    run_id: str

    def record(
        self,
        rows: Rows | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> None:
        """Record rows, params, tags and single ``numbers`` at ``step``, in few calls.

        Numbers that are not finite are left out; tags replace those of the same name.
        """

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""

    def log_files(self, contents: Mapping[str, bytes]) -> None:
        """Record artifacts by path."""

    def log_images(self, images: Iterable[tuple[int, Array]], key: str = "boundary") -> None:
        """Record ``(step, image)`` pairs, images ``(height, width, 3)`` uint8, as steps of one picture."""

    def log_dataset(self, dataset: DatasetRecord) -> None:
        """Record the description of the run's data."""

    def log_model(self, folder: Path, example: Array) -> None:
        """Record the network in a folder of :func:`nnexp.tracking.files.model_files`; try it on ``(N, F)``."""

    def finish(self, status: str, tags: Mapping[str, str] | None = None, ended: int | None = None) -> None:
        """Set the last tags and end the run as one of :data:`STATUSES`, at ``ended`` (ms), else now."""


class Store(Protocol):
    """A place for runs of one experiment."""

    uri: str
    experiment: str

    def start(
        self,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        parent: str | None = None,
        started: int | None = None,
    ) -> Run:
        """Start a run at ``started`` (ms since 1970), else now, as a child of ``parent`` if given."""

    def run_url(self, run_id: str) -> str:
        """The address of a run's page."""

    def experiment_url(self) -> str:
        """The address of the table of runs."""

    def ui_command(self) -> str:
        """The command that shows these pages."""


def points(rows: Rows) -> list[Point]:
    """The finite numbers of ``rows``, in order of iteration."""
    steps = np.asarray(rows["iteration"]).tolist()
    seconds = np.asarray(rows["seconds"], np.float64).tolist()
    columns = [(key, np.asarray(rows[key], np.float64).tolist()) for key in rows if key != "iteration"]
    return [
        Point(key, column[at], step, seconds[at])
        for at, step in enumerate(steps)
        for key, column in columns
        if math.isfinite(column[at])
    ]
