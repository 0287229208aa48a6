"""What an earlier start of a sweep left in its store: which runs are finished, and which must run again."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from nnexp.config.schema import Config, ConfigError, Sweep, from_mapping
from nnexp.losses.measures import BATCH_LOSS, measures
from nnexp.sweep.checkpoints import move
from nnexp.sweep.identity import KEY, code_hash, config_hash, sweep_key
from nnexp.sweep.view import Row, row
from nnexp.tracking.bring_in import Stores, bring_in_each, deliver
from nnexp.tracking.claim import CHECKPOINTS, JOURNAL
from nnexp.tracking.heartbeat import stale, worked_on
from nnexp.tracking.left import Left, in_use, locked
from nnexp.tracking.locations import StoreError
from nnexp.tracking.metric_tag import metrics_of
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent import EXTENDED, UNTIL
from nnexp.tracking.recorder import RunResult
from nnexp.training.checkpoint import FOLDER

LOG = logging.getLogger(__name__)


class Found(NamedTuple):
    """What the store has of a job: its result if the run need not run again, else why it must.

    ``before`` are the runs that the new one replaces, ``shorter`` is a run of a shorter budget that it continues.
    """

    result: RunResult | None
    why: str
    before: list[Any]
    shorter: Any = None


class Earlier:
    """An earlier sweep: its id, its parent run, and which of its runs are reused.

    A finished (or diverged) run of the same config, data and code is the result of one job. A run that failed,
    was killed, is missing, lost its files, or was computed by other code or from other data runs again.

    Args:
        same: whether the sweep was started with the same overrides and grid.
        keep: whether runs of other code are reused too.
    """

    def __init__(self, store: Any, parent: Any, children: Sequence[Any], same: bool, keep: bool) -> None:
        self.store, self.parent, self.same, self._keep = store, parent, same, keep
        self.children = list(children)
        self.sweep_id: str = parent.data.tags["nnexp.sweep_id"]
        self.unfinished = [run for run in children if run.info.status == "RUNNING"]
        self._done: dict[str, list[Any]] = defaultdict(list)
        self._others: dict[str, list[Any]] = defaultdict(list)
        self._without_files: set[str] = set()
        self._data = dict.fromkeys(run.data.tags.get("nnexp.data", "") for run in children)
        for run in children:
            good = run.info.status == "FINISHED"
            if good and not store.has_results(run):
                good = False
                self._without_files.add(run.info.run_id)
            place = self._done if good else self._others
            place[run.data.tags.get("nnexp.config_hash", "")].append(run)

    @property
    def there(self) -> int:
        """The number of its finished runs that no job has claimed."""
        return sum(map(len, self._done.values()))

    def others(self) -> list[Row]:
        """Rows of the finished runs that no job of this command has claimed or replaced."""
        rows = []
        for run in (run for runs in self._done.values() for run in runs):
            tags, seed = run.data.tags, int(run.data.params["seed"])
            number, method = int(tags.get("nnexp.job", 0)), tags.get("nnexp.method", "")
            overrides = shlex.split(tags.get("nnexp.overrides", ""))
            try:
                config = recorded_config(run.data.params)
            except ConfigError as error:
                LOG.warning("run %s is not in the table (%s)", run.info.run_id, error)
                continue
            rows.append(row(number, method, seed, overrides, recorded_result(self.store, run), config))
        return rows

    def claim(self, config: Config) -> Found:
        """What the store has for the next job of this config; each run is returned once."""
        own, code = config_hash(config), code_hash(config)
        for run in self._done[own]:
            if self._keep or run.data.tags.get("nnexp.code_hash") == code:
                self._done[own].remove(run)
                # A process that was killed after it recorded this one has not replaced the others.
                return Found(recorded_result(self.store, run), "", self._others.pop(own, []))
        before = self._take(own)
        if not before and config.dataset.digest():
            # The same settings, but the content of the data file has changed.
            before = [run for data in self._data for run in self._take(config_hash(config, data))]
            if before:
                return Found(None, "of other data", before)
        if any(run.info.run_id in self._without_files for run in before):
            return Found(None, "files missing or cut short", before)
        return Found(None, why_again(before[-1] if before else None), before)

    def _take(self, config: str) -> list[Any]:
        """The runs of a config's hash, returned once."""
        return [*self._others.pop(config, []), *self._done.pop(config, [])]


MOST_TIMES = 40
"""Most extensions of a sweep in its tag: as many as fit."""

LATEST, AUTO = "latest", "auto"
"""Allowed instead of a sweep's id: the experiment's latest; the latest with the same settings, if any."""


def choose(
    store: Any, experiment: str, sweep: Sweep, overrides: Sequence[str], journals: Sequence[Left] = ()
) -> Any:
    """The parent run (of MLflow) of the sweep that ``sweep.resume`` means; None where ``auto`` finds none.

    An id means that sweep, True the latest with the same settings; ``sweep.extend`` names a sweep too. A sweep that
    ended before its parent run was recorded exists only in a journal, which is delivered first.

    Args:
        store: None where there is none yet.
        journals: left by earlier commands.

    Raises:
        StoreError: there is none, or a process still works on it.
    """
    if sweep.extend is not None and sweep.resume is not False:
        raise StoreError(
            f"sweep.extend={sweep.extend}: not allowed together with sweep.resume, as it continues a sweep itself"
        )
    journals = [one for one in journals if one.sweep_id and one.experiment == experiment]
    wanted = sweep.extend if sweep.extend is not None else sweep.resume
    key = sweep_key(overrides, sweep)

    def is_wanted(tags: Mapping[str, str]) -> bool:
        if wanted is True or wanted == AUTO:
            return tags.get(KEY) == key
        return wanted in (LATEST, tags.get("nnexp.sweep_id"))

    def search() -> list[Any]:
        # Filtered here: MLflow's filter language cannot express every text.
        return [] if store is None else store.search("tags.`nnexp.kind` = 'sweep'")

    all_parents = search()
    known = {parent.data.tags.get("nnexp.sweep_id") for parent in all_parents}
    alone = [one for one in journals if one.sweep_id not in known and is_wanted(one.begin.tags)]
    if alone:
        for problem in bring_in_each(Stores(known=store), [one.folder for one in alone]).problems:
            LOG.warning("%s", problem)
        all_parents = search()
        known = {parent.data.tags.get("nnexp.sweep_id") for parent in all_parents}
        for one in alone:
            if one.sweep_id not in known and one.folder.exists():
                raise StoreError(
                    f"sweep.resume={one.sweep_id}: expected a sweep that has ended; {one.process} still works on it"
                )
    parents = [parent for parent in all_parents if is_wanted(parent.data.tags)]
    if not parents:
        if wanted == AUTO:
            return None
        raise StoreError(_not_found(experiment, sweep, wanted, all_parents))
    parent = parents[-1]
    _check_ended(parent)
    _check_design(parent, sweep)
    return parent


def find(
    store: Any,
    chosen: Any,
    sweep: Sweep,
    overrides: Sequence[str],
    token: str = "",
    place: Path | None = None,
) -> Earlier:
    """The sweep of the parent run that :func:`choose` returned.

    This command then owns it, and the journal of an earlier start has been delivered.

    Args:
        token: with which this command claims the sweep.
        place: of this command's journal.

    Raises:
        StoreError: another process works on it.
        SweepTaken: another process continues it at the same time.
    """
    key = sweep_key(overrides, sweep)
    parent = store.client.get_run(chosen.info.run_id)
    sweep_id, left = parent.data.tags["nnexp.sweep_id"], Path(parent.data.tags.get(JOURNAL, ""))
    with ExitStack() as lock:
        there = False
        if parent.data.tags.get(JOURNAL) and not in_use(left):
            try:
                # The process that has the lock already delivers it.
                there = lock.enter_context(locked(left))
            except StoreError as error:
                # That process stops once this command owns the sweep; its runs are trained again.
                LOG.warning("%s", error)
        _check_ended(store.client.get_run(parent.info.run_id))
        run = store.resume_parent(parent.info.run_id, token)
        if there:
            for problem in deliver(Stores(known=store), left).problems:
                LOG.warning("%s", problem)
            # The delivered journal may have ended the sweep.
            store.client.update_run(parent.info.run_id, status="RUNNING")
    run.record(tags={JOURNAL: str(place or "")})
    if place is not None:
        move(parent.data.tags.get(CHECKPOINTS), place.with_name(FOLDER), run)
    children = store.search(f"tags.`nnexp.kind` = 'run' and tags.`nnexp.sweep_id` = '{sweep_id}'")
    for ghost in (run for run in children if not run.data.params):
        # Created by a request whose response was lost.
        store.client.delete_run(ghost.info.run_id)
    same = parent.data.tags.get(KEY, key) == key
    good = [run for run in children if run.data.params]
    earlier = Earlier(store, parent, good, same, sweep.stale_code == "keep")
    if (not same or sweep.extend is not None) and earlier.there:
        # The jobs to add are chosen after results were seen, which the tests of the report must mention.
        run.record(tags={EXTENDED: extended(parent.data.tags.get(EXTENDED, ""), key, earlier.there)})
    return earlier


def _check_ended(parent: Any) -> None:
    if process := worked_on(parent):
        sweep_id = parent.data.tags["nnexp.sweep_id"]
        raise StoreError(
            f"sweep.resume={sweep_id}: expected a sweep that has ended; {process} still works on it"
        )


def extended(before: str, key: str, runs: int) -> str:
    """The tag of a sweep that is extended once more, at that number of finished runs; a repeated one changes nothing.

    >>> extended(extended("", "a", 30), "a", 40) == extended("", "a", 30)
    True
    """
    times = json.loads(before) if before else []
    if not times or times[-1]["key"] != key:
        times.append({"key": key, "runs": runs, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"})
    return json.dumps(times[-MOST_TIMES:])


def _check_design(parent: Any, sweep: Sweep) -> None:
    """Check that a sweep with a design is continued with that design: else its looks would not be counted."""
    designed, sweep_id = parent.data.tags.get(UNTIL), parent.data.tags["nnexp.sweep_id"]
    if sweep.extend is not None and (designed is not None or sweep.until is not None):
        raise StoreError(
            f"sweep.extend={sweep.extend}: not allowed with sweep.until=decided, whose design must not change "
            "after a look"
        )
    if designed is None and sweep.until is not None:
        raise StoreError(
            f"sweep.until={sweep.until}: sweep {sweep_id} was started without it, so its looks were not counted; "
            "start a new sweep"
        )
    if designed is not None and sweep.until is None:
        raise StoreError(
            f"sweep.until=null: sweep {sweep_id} was started with sweep.until={designed}; expected "
            f"the same value"
        )


def _not_found(experiment: str, sweep: Sweep, wanted: bool | str, parents: Sequence[Any]) -> str:
    where = f"in experiment {experiment}"
    setting = "sweep.resume" if sweep.extend is None else "sweep.extend"
    if wanted == LATEST:
        return f"{setting}={wanted}: expected a sweep {where}"
    if isinstance(wanted, str):
        return f"{setting}={wanted}: expected a sweep's id {where}"
    text = f"sweep.resume=true: expected an earlier start of the same sweep {where}"
    if not parents:
        return text
    latest = parents[-1].data.tags["nnexp.sweep_id"]
    return (
        f"{text}; the latest, {latest}, has other settings or another sweep.grid, and "
        f"sweep.resume={latest} adds this command's jobs to it"
    )


def recorded_config(params: Mapping[str, str]) -> Config:
    """The config in a run's params, whose parts are nnexp's own.

    Raises:
        ConfigError: they are no valid config, as when the store cut a long list.
    """
    values: dict[str, Any] = {}
    for name, text in params.items():
        place = values
        *above, last = name.split(".")
        for key in above:
            place = place.setdefault(key, {})
        try:
            place[last] = json.loads(text)
        except ValueError:
            place[last] = text
    return from_mapping(values, [])


def text_of(store: Any, run: Any, path: str) -> str | None:
    """The text of a run's artifact, None where there is no such file."""
    from nnexp.results.artifacts import read_artifact

    read = partial(Path.read_text, encoding="utf-8")
    return read_artifact(store.client, run.info.run_id, run.info.artifact_uri, path, read)


def give_up(store: Any, run: Any) -> str:
    """Mark a RUNNING run whose process has ended as KILLED; return the reason."""
    why = stale(run.data.tags, run.info.start_time / 1000) or "the process of its sweep has ended"
    store.run(run.info.run_id).finish("KILLED", {"nnexp.status": "killed", "nnexp.reason": why})
    return why


def end_stale(store: Any) -> list[tuple[str, str]]:
    """Mark all stale runs of the experiment as KILLED; return the name of each and why.

    A run of a sweep is alive as long as its sweep's parent is.
    """
    running = store.search("attributes.status = 'RUNNING'")
    gone = {run.info.run_id: bool(stale(run.data.tags, run.info.start_time / 1000)) for run in running}
    parents = {run.info.run_id for run in running if run.data.tags.get("nnexp.kind") == "sweep"}
    ended = []
    for run in running:
        parent = run.data.tags.get("mlflow.parentRunId", "")
        if gone[parent] if parent in parents else gone[run.info.run_id]:
            ended.append((str(run.info.run_name), give_up(store, run)))
    return ended


def replace(store: Any, run: Any) -> None:
    """Delete a run that a new one replaces; MLflow can restore deleted runs."""
    store.run(run.info.run_id).record(tags={"nnexp.status": "replaced"})
    store.client.delete_run(run.info.run_id)


def replace_before(store: Any, claim: Found | None) -> None:
    """Remove the runs that a finished job replaces, and their checkpoints."""
    for run in () if claim is None else claim.before:
        try:
            replace(store, run)
        except Exception as error:
            # The new run is recorded; the old one stays too.
            LOG.warning("run %s could not be removed (%s)", run.info.run_id, reason_of(error))
        if place := run.data.tags.get(CHECKPOINTS):
            shutil.rmtree(place, ignore_errors=True)


def why_again(before: Any) -> str:
    """Why an earlier run (or None) runs again."""
    if before is None:
        return "missing"
    if before.info.status == "FINISHED":
        return "of other code"
    return str(before.data.tags.get("nnexp.status", before.info.status.lower()))


def recorded_result(store: Any, run: Any) -> RunResult:
    """How a run of MLflow ended."""
    metrics, tags = run.data.metrics, run.data.tags
    nan = float("nan")
    steps = tags.get("nnexp.iterations", "0")
    return RunResult(
        run_id=run.info.run_id,
        url=store.run_url(run.info.run_id),
        status=tags.get("nnexp.status", "finished"),
        measures={
            name: metrics.get(name, nan)
            for name in measures(metrics_of(tags))
            if name in metrics or name != BATCH_LOSS
        },
        iterations=int(steps),
        evaluations=int(metrics.get("evaluations", 0)),
        seconds=metrics.get("seconds", nan),
        reason=tags.get("nnexp.reason", ""),
    )
