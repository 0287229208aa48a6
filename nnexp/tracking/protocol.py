"""What a store of runs can do: the MLflow one and the one in memory are interchangeable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

Array = np.ndarray[Any, Any]

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "evaluations", "seconds")
"""What is recorded by iteration, beside ``iteration`` itself."""

STATUSES = ("FINISHED", "FAILED", "KILLED")


class Rows(Protocol):
    """Columns ``(T,)`` of what was measured at T iterations, NaN where it was not."""

    @property
    def iteration(self) -> Array: ...
    @property
    def evaluations(self) -> Array: ...
    @property
    def seconds(self) -> Array: ...
    @property
    def loss(self) -> Array: ...
    @property
    def accuracy(self) -> Array: ...
    @property
    def val_loss(self) -> Array: ...
    @property
    def val_accuracy(self) -> Array: ...


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


class Run(Protocol):
    """One run that is being recorded."""

    run_id: str

    def log(self, rows: Rows) -> None:
        """Record rows of :data:`METRICS`; numbers that are not finite are left out."""

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Record single numbers at ``step``."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags, replacing those of the same name."""

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""

    def log_images(self, images: Iterable[tuple[int, Array]], key: str = "boundary") -> None:
        """Record ``(step, image)`` pairs, images ``(height, width, 3)`` uint8, as steps of one picture."""

    def log_dataset(self, dataset: DatasetRecord) -> None:
        """Name the data that the run used."""

    def log_model(self, folder: Path, example: Array) -> None:
        """Record the network in ``folder`` (``final.npz``, ``network.json``), with inputs ``(N, F)`` to try."""

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """End the run as one of :data:`STATUSES`."""


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
    ) -> Run:
        """Begin a run, as a child of the run ``parent`` if there is one."""

    def run_url(self, run_id: str) -> str:
        """The address of a run's page."""

    def experiment_url(self) -> str:
        """The address of the table of runs."""

    def ui_command(self) -> str:
        """What to type to see these pages."""


def points(rows: Rows) -> list[Point]:
    """The finite numbers of ``rows``, in order of iteration."""
    steps = np.asarray(rows.iteration).tolist()
    seconds = np.asarray(rows.seconds, np.float64).tolist()
    columns = [(key, np.asarray(getattr(rows, key), np.float64).tolist()) for key in METRICS]
    return [
        Point(key, column[at], step, seconds[at])
        for at, step in enumerate(steps)
        for key, column in columns
        if math.isfinite(column[at])
    ]


def batches(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """``items`` in pieces of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]
