"""What is recorded of a run: its tags, which of its rows, and the parts of its outcome."""

from __future__ import annotations

import math
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.pictures.colors import method_color
from nnexp.tracking import files
from nnexp.tracking.curve_names import TAG, curve_name
from nnexp.tracking.metric_tag import metric_tag
from nnexp.tracking.outcome import Outcome, optional
from nnexp.tracking.protocol import Rows, Run
from nnexp.training.columns import Columns
from nnexp.training.marks import mark_after

ENDINGS = {"finished": "FINISHED", "diverged": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
"""MLflow's status of a run for each of ours."""


NO_MEASURES = ("iteration", "evaluations", "seconds")
"""Columns of rows that measure the cost, not the quality, of a run."""


class RunResult(NamedTuple):
    """How a recorded run ended; ``measures`` are those of its last row, by name, NaN where there is none."""

    run_id: str
    url: str
    status: str
    measures: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    reason: str

    @property
    def loss(self) -> float:
        """The training loss."""
        return self.measures.get("loss", math.nan)

    @property
    def accuracy(self) -> float:
        """The training accuracy."""
        return self.measures.get("accuracy", math.nan)


class Thinning:
    """Which rows of a history go to a store: ``per_decade`` of iterations, the first and the last; None: all.

    Stores write and read rows slowly, one number at a time; every row is in ``history.parquet``.
    """

    def __init__(self, per_decade: int | None) -> None:
        self._per_decade = per_decade
        self._next = 0
        self._sent = -1

    def select(self, rows: Rows, last: bool = False) -> Columns | None:
        """The rows to send among the next ``rows``, with ``last`` also the very last one; None if there are none."""
        chosen = []
        iterations = np.asarray(rows["iteration"]).tolist()
        for at, iteration in enumerate(iterations):
            final = last and at == len(iterations) - 1
            if iteration <= self._sent or (iteration < self._next and not final):
                continue
            chosen.append(at)
            self._sent = iteration
            while self._per_decade is not None and self._next <= iteration:
                self._next = mark_after(self._next, self._per_decade)
        if not chosen:
            return None
        return Columns((name, np.asarray(rows[name])[chosen]) for name in rows)


def start_tags(config: Any, overrides: Sequence[str]) -> dict[str, str]:
    """Tags that every run has from its start, on any machine.

    ``nnexp.data`` is the hash of given data, ``nnexp.metrics`` describes the run's metrics.
    """
    method = str(config.optimizer.name)
    own = {"nnexp.kind": "run", "nnexp.method": method}
    own |= {"mlflow.runColor": method_color(method), TAG: curve_name(method)}
    if data := config.dataset.digest():
        own["nnexp.data"] = data
    own |= metric_tag(config.metrics)
    return own | ({"nnexp.overrides": shlex.join(overrides)} if overrides else {})


def last_tags(made: Outcome, config: Any) -> dict[str, str]:
    """Tags that a run gets at its end."""
    own = made.tags | {"nnexp.status": made.status, "nnexp.iterations": str(made.iterations)}
    own |= {"nnexp.reason": made.reason} if made.reason else {}
    if made.status in ("finished", "diverged"):
        own["mlflow.note.content"] = _note(config, made)
    return own


def publish(
    run: Run,
    made: Outcome,
    thinning: Thinning,
    tags: Mapping[str, str] | None,
    params: Mapping[str, str] | None = None,
) -> None:
    """Send the missing parts of an outcome to the store, and end the run.

    A part that cannot be sent (an image, the model) gives a tag ``nnexp.warning``, not an error.

    Args:
        thinning: that chose the rows sent before.
        tags: :func:`last_tags`, if they were not sent before.
        params: if they were not sent before.
    """
    run.record(thinning.select(made.rows, last=True), params, tags, made.numbers, made.iterations)
    if made.files:
        run.log_files(made.files)
    warnings: list[str] = []
    if made.dataset is not None:
        with optional("dataset", warnings):
            run.log_dataset(made.dataset)
    if made.images:
        with optional("images", warnings):
            run.log_images(made.images)
    if made.model and made.example is not None:
        with optional("model", warnings), tempfile.TemporaryDirectory(prefix="nnexp-") as place:
            files.write(Path(place), made.model)
            run.log_model(Path(place), made.example)
    earlier = made.tags.get("nnexp.warning", "")
    said = {"nnexp.warning": "; ".join(filter(None, [earlier, *warnings]))} if warnings else None
    run.finish(ENDINGS[made.status], said, made.ended)


def result(run_id: str, url: str, made: Outcome) -> RunResult:
    """An outcome's last row with where it is recorded."""
    return RunResult(
        run_id=run_id,
        url=url,
        status=made.status,
        measures=last_of(made.rows),
        iterations=made.iterations,
        evaluations=made.evaluations,
        seconds=made.seconds,
        reason=made.reason,
    )


def last_of(rows: Rows) -> dict[str, float]:
    """The measures of the last row, NaN where there is none."""
    known = len(rows["iteration"]) > 0
    return {name: float(rows[name][-1]) if known else math.nan for name in rows if name not in NO_MEASURES}


def _network(architecture: Any) -> str:
    """The network in a few words."""
    hidden = getattr(architecture, "hidden", None)
    return f"architecture {architecture.name}" if hidden is None else f"hidden {list(hidden)}"


def _note(config: Any, made: Outcome) -> str:
    last = result("", "", made)
    accuracy = "" if math.isnan(last.accuracy) else f", accuracy {last.accuracy:.3f}"
    return (
        f"**{config.optimizer.name}** on {config.dataset.name}, {_network(config.architecture)}, "
        f"seed {config.seed}: loss {last.loss:.4f}{accuracy} after "
        f"{last.iterations:,} iterations ({last.evaluations:,} evaluations, {last.seconds:.2f} s)."
    )
