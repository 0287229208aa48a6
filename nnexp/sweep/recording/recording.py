"""The outcomes of a sweep's jobs sent to their stores: each once, and while they run where that takes long."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from pathlib import Path
from time import perf_counter, sleep
from types import TracebackType
from typing import Any, NamedTuple

from nnexp.sweep.identity import config_hash
from nnexp.sweep.recording.spool import Spool, Spooled
from nnexp.sweep.trial import Trial
from nnexp.tracking import files
from nnexp.tracking.heartbeat import HEARTBEAT_SECONDS, heartbeat
from nnexp.tracking.outcome import Outcome, per_decade, reason_of
from nnexp.tracking.recorder import RunResult, Thinning, flatten, last_tags, publish, result, start_tags

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often rows of runs that take long are looked for."""

PAUSES = (0.5, 3.0)
"""Seconds before recording is tried again, on top of what MLflow's client does by itself."""


class Home(NamedTuple):
    """Where the runs of a config go: their store, and the parent's id where it is in the same store."""

    store: Any
    parent: str | None


class _Entry:
    """A run that the store knows; ``params`` are those that it does not have yet.

    ``tagged`` says that it has its last tags, ``adopted`` that another process began it, ``ended`` that it has
    everything.
    """

    tagged = adopted = ended = False

    def __init__(self, home: Home, run: Any, thinning: Thinning, params: dict[str, str] | None) -> None:
        self.home, self.run, self.thinning, self.params = home, run, thinning, params


class Recording:
    """A context in which a sweep's jobs are recorded.

    A run that ends within seconds is sent in as few calls as its store allows. One that takes longer is in
    the store while it runs, with its rows so far. A thread looks for these and keeps the parent's heartbeat.

    Args:
        jobs: by number.
        home: where a config's runs go; called once they are needed.
        tags: of every run.
        spool: where workers leave rows.
        runs: how many the whole command has.
    """

    def __init__(
        self,
        jobs: dict[int, Trial],
        home: Callable[[Trial], Home],
        tags: dict[str, str],
        spool: Spool,
        runs: int,
    ) -> None:
        self.jobs, self.home, self.spool, self.runs = jobs, home, spool, runs
        self.tags = tags
        self.seconds = 0.0
        self._entries: dict[int, _Entry] = {}
        self._ended: set[int] = set()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._beat: Any = None
        self._thread = threading.Thread(target=self._watch, name="nnexp-recording", daemon=True)

    def __enter__(self) -> Recording:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for entry in self._entries.values():
            # Only an interruption leaves runs that have not ended.
            if entry.ended:
                continue
            with contextlib.suppress(Exception):
                entry.run.finish("KILLED", {"nnexp.status": "killed", "nnexp.reason": "the sweep was ended"})

    def keep_alive(self, run: Any) -> None:
        """Set the heartbeat of the run (the parent) from now on."""
        self._beat = run

    def adopt(self, found: Iterable[Any]) -> None:
        """Go on with runs that another process of the same sweep began to record, and maybe ended.

        Args:
            found: runs as MLflow gives them.
        """
        for run in found:
            job = self.jobs.get(int(run.data.tags.get("nnexp.job", -1)))
            if job is None:
                continue
            home = self.home(job)
            entry = self._entry(job, home, home.store.run(run.info.run_id))
            entry.adopted, entry.ended = True, run.info.status != "RUNNING"

    def take_all(
        self, made: Iterable[tuple[Trial, Outcome | Exception]]
    ) -> Iterator[tuple[Trial, RunResult]]:
        """:meth:`take` one after another."""
        for job, outcome in made:
            yield job, self.take(job, outcome)

    def take(self, job: Trial, made: Outcome | Exception) -> RunResult:
        """Record a job's outcome, or the exception that took the place of one, and write its log.

        A store that fails is tried again; if it stays so, what the run left is written beside its log.

        Raises:
            StoreError: the store cannot be opened at all.
        """
        self.home(job)
        start = perf_counter()
        if isinstance(made, Exception):
            made = lost(made)
        error: Exception | None = None
        for pause in (0.0, *PAUSES):
            sleep(pause)
            try:
                with self._lock:
                    ended = self._publish(job, made)
                    self._ended.add(job.number)
                    self._entries.pop(job.number, None)
                break
            except Exception as caught:
                LOG.exception("job %d could not be recorded", job.number)
                error = caught
        else:
            assert error is not None
            place = job.log.parent / "unrecorded"
            files.write(place, made.files)
            where = str(place)
            if made.folder is not None and Path(made.folder).exists():
                shutil.copytree(made.folder, place, dirs_exist_ok=True)
            elif made.folder is not None:
                where = "its run's artifacts"
            reason = f"not recorded ({reason_of(error)}); its files are in {where}"
            ended = result("", "", made)._replace(status="failed", reason=reason)
        _log(job, made, ended)
        self.seconds += perf_counter() - start
        return ended

    def _publish(self, job: Trial, made: Outcome) -> RunResult:
        entry, tags = self._entries.get(job.number), last_tags(made, job.config)
        if entry is None:
            # With the run's beginning tags cost next to nothing, on their own a query each.
            entry = self._begin(job, made.started, tags)
            entry.tagged = True
        if not entry.ended:
            # A copy, for this may fail and is done again then; and what an adopted run has is not known.
            thinning = self._thinning(job) if entry.adopted else copy(entry.thinning)
            publish(entry.run, made, thinning, None if entry.tagged else tags, entry.params)
        return result(entry.run.run_id, entry.home.store.run_url(entry.run.run_id), made)

    def _begin(self, job: Trial, started: int, more: dict[str, str]) -> _Entry:
        home = self.home(job)
        tags = start_tags(job.config, job.overrides) | self.tags | more
        tags |= {
            "nnexp.config_hash": config_hash(job.config),
            "nnexp.code_hash": job.code,
            "nnexp.job": str(job.number),
        }
        return self._entry(job, home, home.store.start(job.name, {}, tags, home.parent, started))

    def _entry(self, job: Trial, home: Home, run: Any) -> _Entry:
        entry = self._entries[job.number] = _Entry(home, run, self._thinning(job), flatten(job.config))
        return entry

    def _thinning(self, job: Trial) -> Thinning:
        return Thinning(per_decade(job.config.tracking.points, self.runs))

    def _watch(self) -> None:
        try:
            self.home(next(iter(self.jobs.values())))
        except Exception:
            # Training for a store that cannot be opened would be in vain; who records next is told why.
            self.spool.stop()
            return
        beat = 0.0
        while not self._over.wait(LOOK_SECONDS):
            try:
                for spooled in self.spool.take():
                    self._live(spooled)
                if self._beat is not None and perf_counter() - beat >= HEARTBEAT_SECONDS:
                    beat = perf_counter()
                    self._beat.record(tags=heartbeat())
            except Exception:
                # The rows are sent once more when their run has ended.
                LOG.warning("rows or heartbeat could not be sent", exc_info=True)

    def _live(self, spooled: Spooled) -> None:
        job = self.jobs[spooled.number]
        with self._lock:
            if spooled.number in self._ended:
                return
            entry = self._entries.get(spooled.number) or self._begin(job, spooled.started, {})
            if entry.ended:
                return
            thinning = copy(entry.thinning)
            if entry.adopted:
                thinning.begin_at(int(spooled.rows.iteration[0]))
            entry.run.record(thinning.select(spooled.rows), entry.params)
            # What could not be sent is to be sent with the next rows.
            entry.thinning = thinning
            entry.params = None


def lost(error: Exception) -> Outcome:
    """The outcome of a job whose worker is gone, or could not send what it had."""
    from nnexp.tracking.protocol import milliseconds
    from nnexp.training.record import join

    now = milliseconds()
    return Outcome(
        status="failed", reason=reason_of(error), trace="", started=now, ended=now, rows=join([]), iterations=0,
        evaluations=0, seconds=0.0, tags={}, numbers={}, files={}, images=[], model={}, example=None, dataset=None,
    )  # fmt: skip


def _log(job: Trial, made: Outcome, ended: RunResult) -> None:
    """Append what happened to the job's log."""
    from datetime import datetime

    lines = [f"{ended.status}: {ended.reason}" if ended.reason else f"{ended.status}: loss {ended.loss:.6g}"]
    lines += [made.trace.rstrip()] if made.trace else []
    level = "ERROR" if ended.status == "failed" else "INFO"
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "a", encoding="utf-8") as log:
        log.writelines(f"[{datetime.now():%Y-%m-%d %H:%M:%S}][nnexp][{level}] - {line}\n" for line in lines)
