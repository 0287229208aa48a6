"""The outcomes of a sweep's jobs sent to their stores: each once, and while they run where that takes long."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from pathlib import Path
from time import perf_counter, sleep
from types import TracebackType
from typing import Any, NamedTuple

from nnexp.sweep.recording.spool import Spool, Spooled, beginning, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking.claim import Claim
from nnexp.tracking.heartbeat import HEARTBEAT_SECONDS
from nnexp.tracking.locations import StoreError, StoreLost, SweepTaken, database
from nnexp.tracking.outcome import FEW_RUNS, Outcome, per_decade, reason_of
from nnexp.tracking.recorder import ENDINGS, RunResult, Thinning, flatten, last_tags, publish, result

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often rows of runs that take long are looked for."""

PAUSES = (0.5, 3.0, 8.0, 20.0)
"""Seconds before recording is tried again, on top of what MLflow's client does by itself: a server may be restarted."""


class Home(NamedTuple):
    """Where the runs of a config go: their store, and the parent's id where it is in the same store."""

    store: Any
    parent: str | None


class _Entry:
    """A run that the store knows; ``params`` are those that it does not have yet.

    ``tagged`` says that it has its last tags, ``adopted`` that another process began it, ``ended`` that it has
    everything; ``failed`` why it could not be recorded.
    """

    tagged = adopted = ended = False
    failed = ""

    def __init__(self, home: Home, run: Any, thinning: Thinning, params: dict[str, str] | None) -> None:
        self.home, self.run, self.thinning, self.params = home, run, thinning, params

    def end(self) -> None:
        """End the run as what it is without all that it should have."""
        status, why = ("failed", self.failed) if self.failed else ("killed", "the sweep was ended")
        self.run.finish(ENDINGS[status], {"nnexp.status": status, "nnexp.reason": why})
        self.ended = True


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
        self._claim: Claim | None = None
        self._failing = False
        self._unsure: set[int] = set()
        self._away: StoreError | None = None
        self._taken: SweepTaken | None = None
        self._thread = threading.Thread(target=self._watch, name="nnexp-recording", daemon=True)

    def __enter__(self) -> Recording:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        # Only an interruption, or a store that is away, leaves runs that have not ended.
        left = [entry for entry in self._entries.values() if not entry.ended]
        if self._away is not None:
            LOG.warning("%s", self._away)
            return
        if any(entry.failed for entry in left):
            # Where the disk is full this makes room to say so.
            self.spool.remove()
        for entry in left:
            try:
                if self._taken is None:
                    entry.end()
            except SweepTaken as taken:
                self._taken = taken
            except Exception as caught:
                LOG.warning("run %s was not ended (%s)", entry.run.run_id, reason_of(caught))
        if self._taken is not None:
            # Who has the sweep now does not know of those that were begun since.
            for entry in left:
                try:
                    entry.home.store.client.delete_run(entry.run.run_id)
                except Exception as caught:
                    LOG.warning("run %s was not deleted (%s)", entry.run.run_id, reason_of(caught))
            if not isinstance(error, SweepTaken):
                raise self._taken
        else:
            self._remove_ghosts()

    def _remove_ghosts(self) -> None:
        """Delete runs of this sweep that were begun twice, where the store's answer was lost on its way."""
        if self._claim is None:
            return
        try:
            for store in {self.home(job).store for job in self.jobs.values()}:
                for run in store.search(f"{self._sweep} and attributes.status = 'RUNNING'"):
                    if run.info.run_id == self._claim.run.run_id:
                        continue
                    LOG.warning("run %s was begun twice and is deleted", run.info.run_id)
                    store.client.delete_run(run.info.run_id)
        except Exception as error:
            # Resuming deletes them too.
            LOG.warning("runs that were begun twice could not be looked for (%s)", reason_of(error))

    @property
    def _sweep(self) -> str:
        return f"tags.`nnexp.sweep_id` = '{self.tags.get('nnexp.sweep_id', '')}'"

    def keep_alive(self, claim: Claim) -> None:
        """Give the sweep's signs of life from now on, and see that it is still ours."""
        self._claim = claim

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

        A store that fails is tried again. If it stays so the run's entry stays in the journal, and so do those of
        all that come after where the store itself is away.

        Raises:
            StoreError: the store cannot be opened at all.
            SweepTaken: another process has gone on with the sweep.
        """
        self.home(job)
        start = perf_counter()
        if isinstance(made, Exception):
            made = lost(made)
        try:
            made = self.spool.keep(journal_entry(job, self.tags, self.runs, made))
        except OSError as error:
            # It may still be recorded.
            LOG.warning("job %d is not kept until it is recorded (%s)", job.number, reason_of(error))
        if self._taken is not None:
            raise self._taken
        ended = self._away or self._tried(job, made)
        if isinstance(ended, Exception):
            if made.folder is None:
                # What is trained from now on would be lost as well.
                self.spool.stop()
            ended = unrecorded(made, ended, self.spool.journal)
        try:
            # Of many runs only those that did not finish have a log.
            if self.runs <= FEW_RUNS or ended.status != "finished":
                _log(job, made, ended)
        except OSError as error:
            LOG.warning("%s cannot be written: %s", job.log, error)
        self.seconds += perf_counter() - start
        return ended

    def _tried(self, job: Trial, made: Outcome) -> RunResult | Exception:
        local = database(self.home(job).store.uri) is not None
        # A store that failed for one run is not waited for again before it has taken another.
        pauses = () if self._failing else PAUSES[:2] if local else PAUSES
        for pause in (0.0, *pauses):
            until = perf_counter() + pause
            while perf_counter() < until and not self.spool.stopped:
                sleep(min(pause, 0.1))
            try:
                with self._lock:
                    ended = self._publish(job, made)
                    self._ended.add(job.number)
                    self._entries.pop(job.number, None)
                self._failing = False
                return ended
            except SweepTaken:
                raise
            except StoreLost as caught:
                self._away = caught
                return caught
            except Exception as caught:
                LOG.warning("job %d could not be recorded (%s)", job.number, reason_of(caught))
                error = caught
                self._unsure.add(job.number)
            if self.spool.stopped:
                # Who interrupted it need not wait for a store that may never come back.
                break
        self._failing = True
        self._give_up(job, error)
        return error

    def _give_up(self, job: Trial, error: Exception) -> None:
        """Say in the store that a run is not there whole, or that the store is away, for all that come."""
        store = self.home(job).store
        try:
            store.answer()
        except StoreError as away:
            self._away = away
            return
        except SweepTaken:
            raise
        except Exception as broken:
            LOG.warning("the store cannot be asked whether it is there (%s)", reason_of(broken))
        if (begun := self._entries.get(job.number)) is not None and not begun.ended:
            begun.failed = f"not recorded ({reason_of(error)})"
            try:
                begun.end()
            except SweepTaken:
                raise
            except Exception as still:
                # It is tried once more at the end of the sweep.
                LOG.warning("run %s was not ended (%s)", begun.run.run_id, reason_of(still))

    def _publish(self, job: Trial, made: Outcome) -> RunResult:
        begun, tags = self._entries.get(job.number), last_tags(made, job.config)
        if begun is None:
            # With the run's beginning tags cost next to nothing, on their own a query each.
            begun = self._begin(job, made.started, tags)
            begun.tagged = True
        if not begun.ended:
            # A copy, for this may fail and is done again then; and what an adopted run has is not known.
            thinning = self._thinning(job) if begun.adopted else copy(begun.thinning)
            publish(begun.run, made, thinning, None if begun.tagged else tags, begun.params)
        return result(begun.run.run_id, begun.home.store.run_url(begun.run.run_id), made)

    def _begin(self, job: Trial, started: int, more: dict[str, str]) -> _Entry:
        home = self.home(job)
        begin = beginning(job, self.tags, started)
        if job.number in self._unsure and "nnexp.sweep_id" in self.tags:
            # It may have been begun, and the answer been lost.
            found = home.store.search(f"{self._sweep} and tags.`nnexp.job` = '{job.number}'")
            if found := [run for run in found if run.info.status == "RUNNING"]:
                begun = self._entry(job, home, home.store.run(found[0].info.run_id))
                begun.run.record(tags=begin.tags | more)
                return begun
        return self._entry(
            job, home, home.store.start(begin.name, {}, begin.tags | more, home.parent, started)
        )

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
        # Rows that are to be sent more often are looked for more often.
        look = min(LOOK_SECONDS, *(job.config.tracking.flush_seconds for job in self.jobs.values()))
        while not self._over.wait(look):
            try:
                for spooled in self.spool.take():
                    self._live(spooled)
                if self._claim is not None and perf_counter() - beat >= HEARTBEAT_SECONDS:
                    beat = perf_counter()
                    self._claim.beat()
            except SweepTaken as taken:
                self._taken = taken
                self.spool.stop()
                return
            except StoreLost as away:
                self._away = away
                return
            except Exception as error:
                # The rows are sent once more when their run has ended.
                LOG.warning("rows or heartbeat could not be sent (%s)", reason_of(error))

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


def unrecorded(made: Outcome, why: Exception, journal: Path) -> RunResult:
    """The result of a run that its store does not have; it has no id.

    Args:
        journal: where its files would be.
    """
    if made.folder is None:
        where = f"it is lost, for {journal} cannot be written either"
    elif Path(made.folder).is_symlink():
        where = "its files are in its run's artifacts"
    else:
        where = f"its files are in {Path(made.folder).parent}"
    reason = f"not recorded ({reason_of(why)}); {where}"
    return result("", "", made)._replace(status="failed", reason=reason)


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
