"""Recording runs in a store: one that is trained here, or the outcome of one trained elsewhere."""

from __future__ import annotations

import logging
import math
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from nnexp.pictures.colors import method_color
from nnexp.process import writing_to
from nnexp.tracking import files, journal
from nnexp.tracking.background_call import BackgroundCall
from nnexp.tracking.curve_names import TAG, curve_name
from nnexp.tracking.environment import environment, environment_tags
from nnexp.tracking.heartbeat import HEARTBEAT_SECONDS, heartbeat
from nnexp.tracking.journal import Beginning, Entry
from nnexp.tracking.locations import StoreLost, SweepTaken, public
from nnexp.tracking.metric_tag import metric_tag
from nnexp.tracking.outcome import Outcome, files_so_far, optional, outcome, per_decade, reason_of
from nnexp.tracking.plain import flatten
from nnexp.tracking.protocol import Rows, Run, Store, milliseconds
from nnexp.training.checkpoint import Checkpoint
from nnexp.training.columns import Columns
from nnexp.training.marks import mark_after
from nnexp.training.record import join

__all__ = [
    *("ENDINGS", "RunResult", "Thinning", "flatten", "last_tags", "publish"),
    *("reason_of", "record_run", "result", "start_tags"),
]

LOG = logging.getLogger(__name__)

PAUSES = (0.0, 0.5, 3.0, 8.0)
"""Seconds before each retry to record a run, in addition to the retries of MLflow's client."""

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


def record_run(
    store: Store,
    group: Any,
    config: Any,
    name: str,
    tags: Mapping[str, str],
    parent: str | None = None,
    overrides: Sequence[str] = (),
    on_rows: Callable[[Rows], None] | None = None,
    on_start: Callable[[str, str], None] | None = None,
    runs: int = 1,
    place: Path | None = None,
    source: Mapping[str, bytes] | None = None,
    checkpoint: Checkpoint | None = None,
    at_end: Callable[[], tuple[Mapping[str, bytes], Mapping[str, str]]] = lambda: ({}, {}),
) -> RunResult:
    """Train a group of one run to its end as one run of ``store``.

    Rows are sent while training, in a thread of their own, so that training does not wait for the store. After an
    interruption the state reached is recorded: the run ends as FAILED for an ``Exception`` and as KILLED for any other
    ``BaseException``, which is raised again. A run that the store still refuses at the end is written to ``place``.

    Args:
        group: of one run that has not been trained.
        config: the run's :class:`nnexp.config.schema.Config`.
        tags: of the caller, such as ``nnexp.sweep_id``.
        parent: id of the parent run of a multirun.
        overrides: what was given on the command line.
        on_rows: called with each batch of rows.
        on_start: called with the run's id and page once it exists.
        runs: how many the whole command has.
        place: a journal's file for a run that could not be recorded; without it an error of the store is raised.
        source: files of :func:`nnexp.tracking.source.source_files`, of a run without a parent.
        checkpoint: of the group; whenever it is written, the run's files so far are recorded too.
        at_end: returns files and tags for the run's end.
    """
    trained, machine = group.runs[0], environment()
    started = milliseconds()
    own = environment_tags(machine) | start_tags(config, overrides) | heartbeat()
    own |= {journal.ENTRY: uuid4().hex} | dict(tags)
    begin = Beginning(name, flatten(config), own, started)
    run = store.start(name, begin.params, own, parent, started)
    url = store.run_url(run.run_id)

    thinning, is_whole = Thinning(per_decade(config.tracking.points, runs)), True
    sending: BackgroundCall | None = None
    unsent: list[Any] = []
    so_far: dict[str, bytes] = {}

    def send_part(chosen: Rows | None, alive: Mapping[str, str] | None, contents: dict[str, bytes]) -> None:
        run.record(chosen, tags=alive)
        if alive is not None:
            store.beat()
        if contents:
            run.log_files(contents)

    def wait() -> None:
        """Wait until the last part was sent."""
        nonlocal sending, is_whole
        if sending is None:
            return
        try:
            sending.result()
        except Exception as error:
            sending, is_whole = None, False
            if place is None or isinstance(error, SweepTaken):
                raise
            LOG.warning(
                "a part of the run could not be sent (%s); it is sent again at the end", reason_of(error)
            )
        sending = None

    def send(made: Outcome) -> RunResult:
        nonlocal thinning
        wait()
        if not is_whole:
            thinning = Thinning(per_decade(config.tracking.points, runs))
        more, tags = at_end()
        made = made._replace(files={**made.files, **(source or {}), **more}, tags={**made.tags, **tags})
        ends = last_tags(made, config)
        error: Exception | None = None
        for pause in PAUSES if place is not None else (0.0,):
            sleep(pause)
            try:
                publish(run, made, copy(thinning), ends)
                return result(run.run_id, url, made)
            except SweepTaken:
                raise
            except Exception as caught:
                error = caught
                LOG.warning("the run could not be recorded (%s)", reason_of(error))
                if isinstance(error, StoreLost):
                    break
        assert error is not None
        if place is None:
            raise error
        where = config.tracking.uri and public(config.tracking.uri), config.tracking.experiment
        entry = Entry(*where, begin, ends, per_decade(config.tracking.points, runs), made)
        with writing_to(place.parent):
            journal.append(place, journal.ended(entry), sync=True)
        why = f"not recorded ({reason_of(error)})"
        try:
            run.finish("FAILED", {"nnexp.status": "failed", "nnexp.reason": why})
        except SweepTaken:
            raise
        except Exception as still:
            LOG.warning("the run could not be ended (%s)", reason_of(still))
        reason = f"{why}; its files are in {place}"
        return result("", "", made)._replace(status="failed", reason=reason)

    def keep() -> None:
        # After SIGKILL only they are left of it.
        try:
            so_far.update(files_so_far(trained, config, machine) | dict(source or {}))
        except Exception as error:
            LOG.warning("the run's files so far could not be recorded (%s)", reason_of(error))

    try:
        if on_start is not None:
            on_start(run.run_id, url)
        beat = perf_counter()
        for parts in group.train(config.tracking.flush_seconds):
            rows = parts[0][1] if parts else join([])
            unsent += [rows] if len(rows["iteration"]) else []
            if checkpoint is not None:
                checkpoint.look(keep)
            # Training does not wait for the store: what it has not taken yet is sent with the next part.
            if sending is None or not sending.running:
                wait()
                chosen, alive = thinning.select(join(unsent)), None
                unsent.clear()
                if perf_counter() - beat >= HEARTBEAT_SECONDS:
                    beat, alive = perf_counter(), heartbeat()
                if chosen is not None or alive is not None or so_far:
                    sending = BackgroundCall(partial(send_part, chosen, alive, dict(so_far)))
                    so_far.clear()
            if on_rows is not None:
                on_rows(rows)
        return send(outcome(trained, config, machine, started, milliseconds(), runs))
    except SweepTaken:
        raise
    except BaseException as error:
        _rescue(run, trained, config, machine, started, send, error)
        raise


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


def _rescue(
    run: Run,
    trained: Any,
    config: Any,
    machine: dict[str, Any],
    started: int,
    send: Callable[[Outcome], RunResult],
    error: BaseException,
) -> None:
    """Record the state reached and end the run; nothing raised here may hide ``error``."""
    status = "failed" if isinstance(error, Exception) else "killed"
    tags = {"nnexp.status": status, "nnexp.reason": reason_of(error)}
    done = False
    try:
        try:
            trained.stop()
        except Exception as caught:
            LOG.warning("the run could not be marked as stopped (%s)", reason_of(caught))
        send(outcome(trained, config, machine, started, milliseconds(), error=error))
        done = True
    except Exception as caught:
        LOG.warning("the state that the run reached could not be recorded (%s)", reason_of(caught))
    finally:
        # A second interruption skips the rest, but the run is still ended.
        if not done:
            try:
                run.finish(ENDINGS[status], tags)
            except Exception as caught:
                LOG.warning("the run's end could not be recorded (%s)", reason_of(caught))


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
