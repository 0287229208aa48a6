"""One session trained and recorded: everything that a finished, failed or killed run leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.tracking import files, locations
from nnexp.tracking.environment import environment, environment_tags
from nnexp.tracking.protocol import Rows, Run, Store

LOG = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
"""A process that dies loses at most about this much training from its record."""

LONGEST_LIST = 5000


class RunResult(NamedTuple):
    """How a recorded run ended; numbers are those of its last row, NaN where there is none."""

    run_id: str
    url: str
    status: str
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    iterations: int
    evaluations: int
    seconds: float
    reason: str


def record_session(
    store: Store,
    session: Any,
    config: Any,
    name: str,
    tags: Mapping[str, str],
    parent: str | None = None,
    overrides: Sequence[str] = (),
    on_rows: Callable[[Rows], None] | None = None,
    folder: Path | None = None,
    on_start: Callable[[str, str], None] | None = None,
) -> RunResult:
    """Train ``session`` to its end as one run of ``store``.

    Rows are sent while training. Whatever interrupts it, what was reached is recorded: the run ends as
    FAILED for an ``Exception`` and as KILLED for any other ``BaseException``, which is raised again.
    A figure or model that cannot be made is a tag ``nnexp.warning``, not a failure.

    Args:
        session: a :class:`nnexp.session.Session` that has not been run.
        config: the run's :class:`nnexp.config.Config`.
        tags: of the caller, such as ``nnexp.sweep_id``.
        parent: id of the parent run of a multirun.
        overrides: what was given on the command line.
        on_rows: called with each batch of rows.
        folder: where files are put before they are recorded; None for a temporary place.
        on_start: called with the run's id and page once it exists.
    """
    machine = environment()
    own = environment_tags(machine) | {"nnexp.kind": "run", "nnexp.method": str(config.optimizer.name)}
    if overrides:
        own["nnexp.overrides"] = " ".join(overrides)
    run = store.start(name, flatten(config), own | dict(tags), parent)
    recording = _Recording(run, store.run_url(run.run_id), session, config, machine)
    try:
        if on_start is not None:
            on_start(run.run_id, recording.url)
        with _place(folder) as place:
            return recording.train(place, on_rows)
    except BaseException as error:
        recording.rescue(error)
        raise


class _Recording:
    """The steps of one recording, and how much of the history is out already."""

    def __init__(self, run: Run, url: str, session: Any, config: Any, machine: dict[str, Any]) -> None:
        self.run, self.url, self.session, self.config, self.machine = run, url, session, config, machine
        self.sent = 0
        self.filed = False
        self.warnings: list[str] = []

    def train(self, place: Path, on_rows: Callable[[Rows], None] | None) -> RunResult:
        for rows in self.session.run(flush_seconds=FLUSH_SECONDS):
            self.log(rows)
            if on_rows is not None:
                on_rows(rows)
        self.write_files(place)
        self.write_extras(place)
        status = str(self.session.status)
        reason = "" if status == "finished" else f"not finite at iteration {self.session.iterations}"
        result = self.result(status, reason)
        self.run.finish(
            "FINISHED", self.last_tags(status, reason) | {"mlflow.note.content": self.note(result)}
        )
        return result

    def note(self, result: RunResult) -> str:
        config = self.config
        return (
            f"**{config.optimizer.name}** on {config.dataset.name}, hidden {list(config.architecture.hidden)}, "
            f"seed {config.seed}: loss {result.loss:.4f}, accuracy {result.accuracy:.3f} after "
            f"{result.iterations:,} iterations ({result.evaluations:,} evaluations, {result.seconds:.2f} s)."
        )

    def log(self, rows: Rows) -> None:
        if len(rows.iteration):
            self.run.log(rows)
            self.sent += len(rows.iteration)

    def write_files(self, place: Path) -> None:
        files.write_run_files(place, self.session.prepared, self.session, to_yaml(self.config), self.machine)
        if self.config.tracking.figures:
            with self.optional("figures"):
                from nnexp.tracking.pictures import write_figures

                write_figures(place / "figures", self.session, str(self.config.optimizer.name))
        self.run.log_artifacts(place)
        self.filed = True

    def write_extras(self, place: Path) -> None:
        prepared = self.session.prepared
        network = prepared.problem.network
        if not prepared.method.needs_gradient:
            count = len(self.session.improvements)
            self.run.log_metrics({"improvements": float(count)}, self.session.iterations)
        with self.optional("dataset"):
            record = files.dataset_record(
                self.config.dataset.name, prepared.problem.train, prepared.problem.test
            )
            self.run.log_dataset(record)
        if self.config.tracking.figures:
            with self.optional("images"):
                from nnexp.tracking.pictures import boundary_steps

                self.run.log_images(boundary_steps(self.session))
        if self.config.tracking.model:
            with self.optional("model"), tempfile.TemporaryDirectory() as model:
                files.write_model_files(Path(model), network, self.session.final_theta)
                x = prepared.problem.train.x
                self.run.log_model(Path(model), np.ascontiguousarray(x[..., :5].T))

    @contextlib.contextmanager
    def optional(self, part: str) -> Iterator[None]:
        """A part without which the run is still whole: an error becomes a warning."""
        try:
            yield
        except Exception as error:
            LOG.debug("%s", part, exc_info=True)
            self.warnings.append(f"{part}: {reason_of(error)}")

    def last_tags(self, status: str, reason: str) -> dict[str, str]:
        tags = {"nnexp.status": status}
        if not self.session.prepared.method.needs_gradient:
            tags["nnexp.improvements"] = _fitting([int(pair[0]) for pair in self.session.improvements])
        if reason:
            tags["nnexp.reason"] = reason
        if self.warnings:
            tags["nnexp.warning"] = "; ".join(self.warnings)
        return tags

    def result(self, status: str, reason: str) -> RunResult:
        history = self.session.history
        keys = ("loss", "accuracy", "val_loss", "val_accuracy")
        last = {key: float(getattr(history, key)[-1]) if len(history.loss) else math.nan for key in keys}
        return RunResult(
            run_id=self.run.run_id,
            url=self.url,
            status=status,
            **last,
            iterations=int(self.session.iterations),
            evaluations=int(self.session.evaluations),
            seconds=float(self.session.seconds),
            reason=reason,
        )

    def rescue(self, error: BaseException) -> None:
        """Record what was reached and end the run; nothing raised here may hide ``error``."""
        failed = isinstance(error, Exception)
        reason = reason_of(error)
        tags = {"nnexp.status": "failed" if failed else "killed", "nnexp.reason": reason}
        try:
            with contextlib.suppress(Exception):
                self.session.stop()
            with contextlib.suppress(Exception):
                self.log(_since(self.session.history, self.sent))
            if not self.filed:
                with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as place:
                    files.write_run_files(
                        Path(place), self.session.prepared, self.session, to_yaml(self.config), self.machine
                    )
                    self.run.log_artifacts(Path(place))
            with contextlib.suppress(Exception):
                tags = self.last_tags(tags["nnexp.status"], reason)
        finally:
            # A second interruption ends the rescue, and still not the run's end.
            with contextlib.suppress(Exception):
                self.run.finish("FAILED" if failed else "KILLED", tags)


def flatten(config: Any) -> dict[str, str]:
    """The config as params: dotted names, lists as JSON, None as ``null``, without passwords."""
    flat: dict[str, str] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                visit(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            flat[prefix] = value if isinstance(value, str) else json.dumps(value)

    visit("", _plain(config))
    return flat


def to_yaml(config: Any) -> str:
    """The whole config as YAML, without passwords."""
    import yaml

    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True)


def reason_of(error: BaseException) -> str:
    """The error's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    kind = type(error).__name__
    return f"{kind}: {lines[0]}" if lines else kind


def _plain(config: Any) -> dict[str, Any]:
    values: dict[str, Any] = dataclasses.asdict(config)
    tracking = values.get("tracking")
    if tracking and tracking.get("uri"):
        tracking["uri"] = locations.public(tracking["uri"])
    return values


def _fitting(numbers: list[int]) -> str:
    """As many of the first numbers as fit into a tag, as a JSON list."""
    text = json.dumps(numbers)
    while len(text) > LONGEST_LIST:
        numbers = numbers[: int(len(numbers) * LONGEST_LIST / len(text))]
        text = json.dumps(numbers)
    return text


def _since(history: Any, start: int) -> Any:
    return type(history)(*(column[start:] for column in history))


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
        yield Path(place)
