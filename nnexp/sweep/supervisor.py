"""The work of a sweep: started while the store opens, resumed, trained in groups."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nnexp.config.modules import outside_files
from nnexp.config.schema import Config
from nnexp.config.settings import kinds_of
from nnexp.data.loading import forget
from nnexp.sweep import commands
from nnexp.sweep.checkpoints import notes
from nnexp.sweep.identity import KEY, sweep_key
from nnexp.sweep.interrupts import Interrupts
from nnexp.sweep.log_file import write_timings
from nnexp.sweep.longer import continue_longer
from nnexp.sweep.own_journal import OwnJournal, beginning
from nnexp.sweep.plan import unbatched
from nnexp.sweep.summary import load_summary
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import View
from nnexp.sweep.work import OPENING, Work
from nnexp.tracking import journal, locations
from nnexp.tracking.background_call import BackgroundCall
from nnexp.tracking.claim import CLAIM, Claim
from nnexp.tracking.journal import Beginning
from nnexp.tracking.left import is_visible
from nnexp.tracking.left import left as left_journals
from nnexp.tracking.locations import StoreError, StoreLost
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import RunResult
from nnexp.tracking.source import Sources
from nnexp.training.checkpoint import FOLDER

if TYPE_CHECKING:
    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.compose.job import Job
    from nnexp.sweep.recording.process import Recorder
    from nnexp.sweep.recording.recording import Recording
    from nnexp.sweep.resume import Earlier, Found
    from nnexp.tracking.mlflow_run import MlflowRun
    from nnexp.tracking.mlflow_store import Store

LOG = logging.getLogger(__name__)


class SweepWork(Work):
    """A sweep's runs, below a parent run.

    Args:
        view: shows progress and the table.
        overrides: of the whole command.
        jobs: how many there will be.
        process: records jobs that are trained in groups; None: one is started for them.
    """

    def __init__(
        self,
        view: View,
        overrides: Sequence[str],
        jobs: int,
        process: Recorder | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__(view, overrides, jobs, flags)
        self._process = process
        self._looked, self.chosen, self._extends, self._only = False, None, False, False
        self._skipped = 0
        self._why: Counter[str] = Counter()
        self._begun, self._started = perf_counter(), milliseconds()
        self._earlier: Earlier | None = None
        self._opener: BackgroundCall | None = None
        self._opened_with: Config | None = None
        self._claim: Claim | None = None
        self._journal: Path | None = None
        self._recording: Recording | None = None
        self._sources = Sources()
        self._own = OwnJournal()
        self._copies: set[Path] = set()
        self._alone: set[str] = set()  # methods of which it was said that they cannot be batched
        self.token = secrets.token_hex(8)
        self.closing: list[str] = []  # lines that the command ends with
        self.checked: dict[tuple[str, ...], Job] = {}  # jobs that were checked before, by their overrides

    def find_earlier(self, config: Config) -> None:
        """Find, once, the sweep that ``sweep.resume`` means, before anything is written.

        Raises:
            StoreError: there is none, or a process still works on it.
        """
        if self._looked:
            return
        self._looked = True
        if config.sweep.resume is False and config.sweep.extend is None:
            return
        self._extends = config.sweep.extend is not None
        from nnexp.sweep.resume import AUTO, choose

        self._only = config.sweep.resume == AUTO
        if self._only:
            # Of two commands that start at once the second one finds the first one's sweep.
            self._own.look_alone(sweep_key(self.overrides, config.sweep), config.tracking.uri)
        experiment = config.tracking.experiment
        journals = left_journals(config.tracking.uri)
        file = locations.database(locations.resolve(config.tracking.uri))
        # No store is created only to be searched.
        store = None if file is not None and not file.exists() and not journals else self.store(config)
        self.chosen = choose(store, experiment, config.sweep, self.overrides, journals)
        if self.chosen is not None:
            self._own.known()

    def _begin(self, config: Config) -> None:
        """Start, once, to open the store and the parent run, or to find the sweep to resume.

        MLflow takes seconds to import and to open a store; the first jobs need not wait for it.

        Raises:
            StoreError: the store is not usable, or has no such sweep.
        """
        if self._opener is not None or self._earlier is not None:
            return
        locations.resolve(config.tracking.uri)
        self.find_earlier(config)
        if self.chosen is None:
            self._opened_with = config
            self._opener = BackgroundCall(lambda: self._open(config))
            return
        from nnexp.sweep import resume

        self._home = store = self.store(config)
        earlier = resume.find(store, self.chosen, config.sweep, self.overrides, self.token, self._journal)
        self._earlier = earlier
        self.sweep_id = earlier.sweep_id
        if not earlier.same and not self._extends:
            added = "has other settings or another grid; the jobs of this command are added to it"
            self.view.say(f"sweep {self.sweep_id} {added}")
        for left in earlier.unfinished:
            resume.give_up(store, left)
        assert store.claim is not None
        self._claim, self._parent = store.claim, store.claim.run
        self._sources.record(self._parent)

    def _beginning(self, config: Config) -> Beginning:
        own = self.sweep_id, self.token, self.overrides, self.jobs, self._started
        return beginning(config, self._journal, *own)

    def _open(self, config: Config) -> None:
        self._home = store = self.store(config)
        self._parent = self._start_parent(store, config)
        self._own.known()
        self._claim = Claim(self._parent, self.token)
        self._sources.record(self._parent)

    def _start_parent(self, store: Store, config: Config) -> MlflowRun:
        begin = self._beginning(config)
        return store.start_only_parent(KEY, *begin) if self._only else store.start_parent(*begin)

    def _follow(self, config: Config, folder: Path) -> Recorder:
        """Let, once, the recording process follow the sweep's journal, whose first record describes the parent run.

        Raises:
            StoreError: the sweep to resume does not exist.
            OSError: the journal cannot be written.
        """
        from nnexp.sweep.recording.process import recorder
        from nnexp.sweep.recording.recording import JournalParent

        if self._journal is not None:
            assert self._process is not None
            return self._process
        self._journal = folder
        self.find_earlier(config)
        if self.chosen is not None:
            self._begin(config)
        else:
            self._opened_with = config
            self.view.say(OPENING)
            if self._only and not is_visible(folder, config.tracking.uri):
                # Commands in other folders do not see the journal.
                self._start_parent(self.store(config), config)
        process = self._process = self._process or recorder()
        self._own.begin(folder, config, self._parent_beginning())
        self._parent = JournalParent(process, folder, self._stopped)
        self._sources.record(self._parent)
        process.begin(folder, config.tracking.experiment)
        return process

    @property
    def goes_on_with(self) -> str:
        """The id of the sweep that this command continues, empty for none."""
        return "" if self.chosen is None else str(self.chosen.data.tags["nnexp.sweep_id"])

    def close(self) -> None:
        """Allow other commands to continue the sweep, and remove the copies of the source."""
        self._own.close()
        for copy in self._copies:
            shutil.rmtree(copy, ignore_errors=True)

    def _stopped(self) -> bool:
        return self._recording is not None and self._recording.stopped

    def _parent_beginning(self) -> Beginning:
        if self._earlier is None:
            assert self._opened_with is not None
            return self._beginning(self._opened_with)
        parent = self._earlier.parent
        own = {key: text for key, text in parent.data.tags.items() if key.startswith("nnexp.")}
        own[CLAIM] = self.token
        return Beginning(
            str(parent.info.run_name), dict(parent.data.params), own, int(parent.info.start_time)
        )

    def store(self, config: Config) -> Store:
        """The store that a config names; it checks that the sweep still belongs to this command."""
        store = super().store(config)
        store.claim = self._claim
        return store

    def run(self, job: Trial) -> RunResult:
        """Train and record one job here, as :meth:`Work.run` does."""
        self._sources.note({job.code: job.config})
        self._begin(job.config)
        self._ready()
        self._sources.record(self._parent)
        return super().run(job)

    def batch(
        self, jobs: Sequence[Trial], choice: EngineChoice, place: Path, composing: float
    ) -> dict[int, RunResult]:
        """Train jobs in groups by an engine and record them as they end; results by the job's number.

        Args:
            place: the sweep's folder.
            composing: seconds spent on composing the jobs.

        Raises:
            StoreError: the store cannot be opened.
            EngineError: the engine cannot be used.
            KeyboardInterrupt: on a signal, after what was running was recorded as KILLED.
        """
        from nnexp.sweep.batch import Batch
        from nnexp.sweep.recording.recording import Recording
        from nnexp.sweep.recording.spool import Spool
        from nnexp.sweep.source import frozen_source

        self._sources.note({job.code: job.config for job in jobs})
        process = self._follow(jobs[0].config, place.absolute() / journal.FOLDER)
        known = {job.number: self._found(job) for job in jobs}
        rest = [job for job in jobs if (claim := known[job.number]) is None or claim.result is None]
        results = {number: claim.result for number, claim in known.items() if claim and claim.result}
        if not rest:
            return results
        self._say_skipped()
        sweep, runs = jobs[0].config.sweep, self.jobs or 1
        spool = Spool(place.absolute() / "spool")
        spool.make()
        longer = []
        if self._earlier is not None:
            longer = continue_longer(self._earlier.store, self._earlier.children, rest, spool.checkpoints)
        for note in [*longer, *notes(spool.checkpoints, rest)]:
            self.view.say(note)
        self._copies.add(spool.code)
        by_number = {job.number: job for job in rest}
        tags = {"nnexp.sweep_id": self.sweep_id, journal.ENTRY: self.token}
        outside = outside_files(kinds_of([job.config for job in rest]))

        recording = self._recording = Recording(process, tags, spool, runs)
        if names := [one for one in unbatched([job.config for job in rest]) if one not in self._alone]:
            self._alone.update(names)
            self.view.say(
                f"{', '.join(names)}: trained one run at a time, because the method cannot be batched"
            )
        if choice.elsewhere:
            # Workers import what was checked here.
            forget()
        start = perf_counter()
        batch = Batch(rest, runs, choice, spool, recording, sweep.retries, sweep.fail_fast, tuple(outside))

        try:
            with (
                frozen_source(spool.code, outside, sweep.until is not None or sweep.trials is not None),
                self.view.sweep(max(runs, len(self.rows) + len(rest)), len(self.rows)) as progress,
                Interrupts(spool.stop, self.view.say) as interrupts,
            ):
                progress.live, progress.running = spool.told, lambda: batch.running
                if choice.elsewhere:
                    # Importing the summary's packages takes a second, and this process only waits.
                    threading.Thread(target=load_summary, args=(self.view,), name="nnexp-load").start()
                batch.run(progress.ended)
                # Not from a source that has been edited since.
                load_summary(self.view)
                recording.settle()
        finally:
            recording.close()
            for number, result in recording.results().items():
                results[number] = result
                self._add(by_number[number], result)
                if result.status in ("finished", "diverged") and process.error is None:
                    self._replace(known[number])
        # Those of a later batch's parts.
        self._sources.record(self._parent)
        times = {
            "runs": len(rest), "composing": composing, "training": batch.training, "working": batch.working,
            "recording": recording.seconds, "batch": perf_counter() - start,
            "workers": choice.workers, "wall": perf_counter() - self._begun,
        }  # fmt: skip
        write_timings(place / "timings.json", times)
        if count := batch.broken_groups:
            self.view.say(
                f"{count} group{'s' if count != 1 else ''} of runs failed when trained together; these runs were "
                f"trained one at a time: see {place / 'sweep.log'}"
            )
        interrupts.raise_if_any()
        return results

    def end(self, status: str = "") -> None:
        """Finish the parent run, print the table, and where runs are missing the command that resumes.

        Raises:
            StoreError: the store could not be opened.
        """
        try:
            self._ready()
        except BaseException:
            # Jobs were trained while the store was opened.
            self._say_unrecorded()
            raise
        self._say_skipped()
        if self._extends and self._earlier is not None:
            self.rows += self._earlier.others()
        super().end(status)
        if self._home is None:
            return
        if self._journal is not None and not self.failed and all(row.status != "killed" for row in self.rows):
            shutil.rmtree(self._journal.with_name(FOLDER), ignore_errors=True)
        if self.rows:
            configs = [row.config for row in self.rows]
            self.view.say(f"Compare: {commands.compare(self._home, self.sweep_id, configs)}")
        # Only what was recorded can be resumed.
        if self._parent is not None and (self.failed or any(row.status == "killed" for row in self.rows)):
            self.view.say(f"Resume: {commands.resume(self._flags, self.overrides, self.sweep_id)}")
        if self.closing:
            self.view.say("\n".join(self.closing))

    def _say_unrecorded(self) -> None:
        """Print the command that records runs which the store does not have."""
        if self._journal is None:
            super()._say_unrecorded()
            return
        lost = self._process is not None and isinstance(self._process.error, StoreLost)
        if left := len(journal.entries(self._journal) if lost else journal.left(self._journal)):
            self._say_left(left, self._journal)

    @property
    def failed(self) -> bool:
        """Whether a job failed or was never started."""
        return super().failed or len(self.rows) < (self.jobs or 0)

    def _ready(self) -> None:
        """Wait until the store is open and has the parent run.

        Raises:
            StoreError: it cannot be opened.
        """
        if self._opener is not None:
            self._opener.result()
        process = self._process
        if self._journal is not None and process is not None and self._home is None:
            process.wait(lambda: process.parent is not None, self._stopped)
            if process.parent is None:
                kept = f"the store does not answer; all trained runs are kept in {self._journal}"
                raise process.error or StoreError(kept)
            self._home = process.parent[0]

    def _found(self, job: Trial) -> Found | None:
        """What a resumed sweep already has of the job; a result is added to the table."""
        if self._earlier is None:
            return None
        claim = self._earlier.claim(job.config)
        if claim.result is None:
            self._why[claim.why] += 1
        else:
            self._skipped += 1
            self._add(job, claim.result)
        return claim

    def _say_skipped(self) -> None:
        # Later rounds of a sweep are missing by design.
        why = self._why.keys() - {"missing"} if self.rows else self._why
        if self._earlier is not None and (self._skipped or why):
            self.view.say(commands.skipped(self.sweep_id, self._skipped, self._why, self._extends))
            self._skipped, self._why = 0, Counter()
