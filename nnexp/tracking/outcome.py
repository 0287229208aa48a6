"""The outcome of a run: everything to record, as plain data that any process may send."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from nnexp.tracking import files
from nnexp.tracking.environment import environment_tags
from nnexp.tracking.locations import conceal
from nnexp.tracking.plain import to_yaml
from nnexp.tracking.protocol import DatasetRecord, Rows

Array = np.ndarray[Any, Any]
LOG = logging.getLogger(__name__)

FEW_RUNS = 24
"""Commands with at most this many runs record figures, models and more points if these are ``auto``.

They also record each run's dataset, and keep Hydra's files of each job in its own folder.
"""

POINTS, FEWER_POINTS = 10, 2
"""Rows sent to a store for a decade of iterations: one number costs as much as ten steps of training."""

LONGEST_LIST = 5000


class Outcome(NamedTuple):
    """How a run ended and its files; it can be pickled.

    ``status`` is finished, diverged, failed or killed; ``started`` and ``ended`` are ms since 1970; ``rows``
    the whole history; ``numbers`` single metrics of the last iteration; ``files`` contents by path;
    ``images`` pairs of iteration and boundary image; ``model`` the files of the model and ``example`` its
    inputs ``(N, F)``; ``trace`` the traceback of an error. ``kept`` is the file of an outcome that is in a
    journal; this object then has only the last row, and no files, images or model.
    """

    status: str
    reason: str
    trace: str
    started: int
    ended: int
    rows: Rows
    iterations: int
    evaluations: int
    seconds: float
    tags: dict[str, str]
    numbers: dict[str, float]
    files: dict[str, bytes]
    images: list[tuple[int, Array]]
    model: dict[str, bytes]
    example: Array | None
    dataset: DatasetRecord | None
    kept: str | None = None


def wanted(setting: bool | str, runs: int) -> bool:
    """Whether ``tracking.figures`` or ``tracking.model`` asks for it in a command with that many runs."""
    return setting is True or (setting == "auto" and runs <= FEW_RUNS)


def per_decade(setting: int | str | None, runs: int) -> int | None:
    """The rows for a decade of iterations by ``tracking.points``, in a command with that many runs."""
    if isinstance(setting, str):
        return POINTS if runs <= FEW_RUNS else FEWER_POINTS
    return setting


def outcome(
    trained: Any,
    config: Any,
    machine: dict[str, Any],
    started: int,
    ended: int,
    runs: int = 1,
    error: BaseException | None = None,
    trace: str = "",
) -> Outcome:
    """The outcome of ``trained`` in its current state.

    A part that cannot be made (a figure) gives a tag ``nnexp.warning``, not an error. After an ``error`` the
    run has failed, or was killed if the error is no ``Exception``; then it has no pictures and no model.

    Args:
        trained: a :class:`nnexp.training.run.Run` that was trained, or stopped.
        config: the run's :class:`nnexp.config.schema.Config`.
        machine: of :func:`nnexp.tracking.environment.environment`.
        runs: how many the whole command has.
    """
    warnings: list[str] = []
    prepared = trained.prepared
    status, reason = _ending(trained, error)
    tags = environment_tags(machine)
    if trained.stop_reason:
        tags["nnexp.stopped"] = trained.stop_reason
    tags |= _data_tags(trained)
    numbers = {"measuring_seconds": float(trained.measuring_seconds)}
    if not prepared.method.needs_gradient:
        found = [int(pair[0]) for pair in trained.improvements]
        tags["nnexp.improvements"] = _fitting(found)
        numbers["improvements"] = float(len(found))
    contents = files.run_files(prepared, trained, to_yaml(config), machine)
    images: list[tuple[int, Array]] = []
    model: dict[str, bytes] = {}
    if error is None and wanted(config.tracking.figures, runs):
        # Matplotlib takes a second to import.
        from nnexp.tracking import pictures

        with optional("figures", warnings):
            contents |= pictures.figures(trained, str(config.optimizer.name))
        with optional("images", warnings):
            images = list(pictures.boundary_steps(trained))
    if error is None and wanted(config.tracking.model, runs):
        model = files.model_files(prepared, trained.final_theta)
    dataset = None
    if runs <= FEW_RUNS:
        with optional("dataset", warnings):
            dataset = files.dataset_record(config.dataset.name, prepared.problem)
    if warnings:
        tags["nnexp.warning"] = "; ".join(warnings)
    return Outcome(
        status, reason, trace, started, ended, trained.history,
        int(trained.iterations), int(trained.evaluations), float(trained.seconds),
        tags, numbers, contents, images, model,
        np.ascontiguousarray(prepared.problem.train.x[..., :5].T) if model else None, dataset,
    )  # fmt: skip


def files_so_far(trained: Any, config: Any, environment: dict[str, Any]) -> dict[str, bytes]:
    """The files of a run that has not ended, as an interruption now would leave them.

    Args:
        trained: a :class:`nnexp.training.run.Run`, between two blocks of training.
    """
    as_interrupted = trained.as_interrupted()
    return files.run_files(trained.prepared, as_interrupted, to_yaml(config), environment)


@contextlib.contextmanager
def optional(part: str, warnings: list[str]) -> Iterator[None]:
    """An optional part of the outcome: an error becomes one of the ``warnings``."""
    try:
        yield
    except Exception as error:
        LOG.debug("%s", part, exc_info=True)
        warnings.append(f"{part}: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """The error's type and the first line of its message."""
    lines = conceal(str(error)).strip().splitlines()
    # SQLAlchemy's first line may say only when it found the error.
    lines = [line for line in lines if not line.startswith("(raised as a result of")]
    kind = type(error).__name__
    return f"{kind}: {lines[0]}" if lines else kind


def _ending(trained: Any, error: BaseException | None) -> tuple[str, str]:
    if error is not None:
        return "failed" if isinstance(error, Exception) else "killed", reason_of(error)
    status = str(trained.status)
    return status, "" if status == "finished" else f"not finite at iteration {trained.iterations}"


def _data_tags(trained: Any) -> dict[str, str]:
    """The numbers of training samples, of samples an iteration, and of epochs."""
    samples = trained.prepared.problem.samples
    size = getattr(trained.prepared.method, "batch_size", None) or samples
    epochs = trained.iterations / ceil(samples / size)
    return {"nnexp.samples": str(samples), "nnexp.batch_size": str(size), "nnexp.epochs": f"{epochs:.6g}"}


def _fitting(numbers: list[int]) -> str:
    """The first numbers, as many as fit into a tag, as a JSON list."""
    text = json.dumps(numbers)
    while len(text) > LONGEST_LIST:
        numbers = numbers[: int(len(numbers) * LONGEST_LIST / len(text))]
        text = json.dumps(numbers)
    return text
