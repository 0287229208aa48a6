"""The runs of one command: trained in groups, and recorded from its journal."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nnexp.config.modules import outside_files
from nnexp.config.schema import Config
from nnexp.config.settings import kinds_of
from nnexp.data.loading import forget
from nnexp.sweep import commands
from nnexp.sweep.checkpoints import carry
from nnexp.sweep.identity import code_hash, config_hash
from nnexp.sweep.interrupts import Interrupts
from nnexp.sweep.log_file import write_timings
from nnexp.sweep.own_journal import OwnJournal
from nnexp.sweep.plan import unbatched
from nnexp.sweep.summary import load_summary
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Row, View, row
from nnexp.tracking import journal, locations
from nnexp.tracking.bring_in import Stores, bring_in_each
from nnexp.tracking.claim import CHECKPOINTS, CLAIM, RESUMES
from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.left import left
from nnexp.tracking.locations import StoreError, StoreLost, SweepTaken
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent import finish_parent
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import RunResult
from nnexp.tracking.source import source_files
from nnexp.training.checkpoint import FOLDER

if TYPE_CHECKING:
    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.recording.process import Recorder
    from nnexp.sweep.recording.recording import JournalParent, Recording
    from nnexp.sweep.recording.spool import Spool
    from nnexp.sweep.resume import Found
    from nnexp.tracking.journal import Beginning
    from nnexp.tracking.mlflow_store import Store
    from nnexp.tracking.pages import Pages

LOG = logging.getLogger(__name__)

OPENING = "opening the store ..."


class Work:
    """One command's runs: a process of their own records them from the command's journal.

    Args:
        view: shows progress and the table.
        overrides: of the whole command.
        jobs: their number; None for a single run, which has no parent.
        process: records the runs; None: one is started for them.
        flags: the command's, which change the meaning of its settings.
    """

    def __init__(
        self,
        view: View,
        overrides: Sequence[str],
        jobs: int | None,
        process: Recorder | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self._flags = list(flags)
        self.view, self.overrides, self.jobs = view, list(overrides), jobs
        self.sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.token = secrets.token_hex(8)
        self.rows: list[Row] = []
        self.results: dict[int, RunResult] = {}
        self.verdict = ""
        """The answer of a sweep that chooses its seeds; empty for others, which are compared by the view."""
        self._begun, self._started = perf_counter(), milliseconds()
        self._limits: set[float | None] = set()
        self._stores: dict[tuple[str | None, str], Store] = {}
        self._process = process
        self._own = OwnJournal()
        self._journal: Path | None = None
        self._parent: JournalParent | None = None
        self._recording: Recording | None = None
        self._home: Pages | None = None
        self._unfinished = False
        self._unsettled: list[tuple[Recording, dict[int, Trial], dict[int, Found | None]]] = []
        self._resumed: Found | None = None
        self._temporary: set[Path] = set()  # folders that are removed at the end
        self._alone: set[str] = set()  # methods of which it was said that they cannot be batched

    def store(self, config: Config) -> Store:
        """The store that a config names, opened once; MLflow is loaded here and not before.

        Raises:
            StoreError: it cannot be written or reached.
        """
        key = (config.tracking.uri, config.tracking.experiment)
        if key not in self._stores:
            # An impossible store is refused at once, before MLflow takes a second to import.
            locations.resolve(config.tracking.uri)
            if not self._stores:
                self.view.say(OPENING)
            from nnexp.tracking.mlflow_store import Store

            self._stores[key] = Store.open(*key)
        return self._stores[key]

    def find_earlier(self, config: Config) -> None:
        """Find the run that ``resume`` means, before anything is written.

        Raises:
            StoreError: there is none, its settings differ, or a process still works on it.
        """
        if config.resume is None:
            return
        from nnexp.sweep.resume_run import find_run, of_runs

        own = config_hash(config)
        # Of two commands that continue a run at once the second one finds the journal of the first one.
        self._own.look_alone(own, config.tracking.uri)
        journals = [one.folder for one in of_runs(left(config.tracking.uri), str(config.resume), own)]
        file = locations.database(locations.resolve(config.tracking.uri))
        # No store is created only to be searched.
        store = None if file is not None and not file.exists() and not journals else self.store(config)
        for problem in bring_in_each(Stores(), journals).problems:
            LOG.warning("%s", problem)
        self._resumed, self._home = find_run(store, config, code_hash(config)), store

    def run(self, job: Trial, place: Path) -> RunResult | None:
        """Train and record one job in this process; see :meth:`batch`."""
        from nnexp.sweep.batch import EngineChoice

        claim = self._resumed
        if claim is not None and claim.result is not None:
            from nnexp.sweep.resume import replace_before

            self._add(job, claim.result)
            replace_before(self._home, claim)
            self.view.say(f"run {claim.result.run_id} is already recorded and has finished")
            return claim.result
        if job.config.sweep.fail_fast and any(one.status == "failed" for one in self.results.values()):
            return None
        job = job._replace(overrides=[one for one in job.overrides if not one.startswith("resume=")])
        # The store may record it while later jobs are trained.
        last = len(self.results) + 1 >= (self.jobs or 1)
        return self.batch([job], EngineChoice("sequential", 1), place, 0.0, last).get(job.number)

    def batch(
        self, jobs: Sequence[Trial], choice: EngineChoice, place: Path, composing: float, wait: bool = True
    ) -> dict[int, RunResult]:
        """Train jobs in groups by an engine and record them as they end; results by the job's number.

        An error fails only its own job, and is shown in the table.

        Args:
            place: the command's folder.
            composing: seconds spent on composing the jobs.
            wait: for the store, while it makes progress.

        Raises:
            StoreError: the store cannot be opened.
            EngineError: the engine cannot be used.
            KeyboardInterrupt: on a signal, after what was running was recorded as KILLED.
        """
        from nnexp.sweep.batch import Batch
        from nnexp.sweep.recording.recording import Recording
        from nnexp.sweep.recording.spool import Spool
        from nnexp.sweep.source import frozen_source

        spool = Spool(place.absolute() / "spool")
        process = self._follow(jobs, spool)
        known = {job.number: self._found(job) for job in jobs}
        rest = [job for job in jobs if (claim := known[job.number]) is None or claim.result is None]
        results = {number: claim.result for number, claim in known.items() if claim and claim.result}
        if not rest:
            return results
        sweep, runs = jobs[0].config.sweep, self.jobs or 1
        anew = spool.code not in self._temporary
        self._temporary |= {spool.code, spool.folder}
        spool.make()
        for note in self._goes_on(rest, spool.checkpoints):
            self.view.say(note)
        by_number = {job.number: job for job in rest}
        outside = outside_files(kinds_of([job.config for job in rest]))
        recording = self._recording = Recording(process, self._tags(spool), spool, runs, self._files(rest))
        if names := [one for one in unbatched([job.config for job in rest]) if one not in self._alone]:
            self._alone.update(names)
            self.view.say(
                f"{', '.join(names)}: trained one run at a time, because the method cannot be batched"
            )
        if choice.elsewhere:
            # Workers import what was checked here.
            forget()
        start, begun = perf_counter(), len(self.results)
        self._unsettled.append((recording, by_number, known))
        batch = Batch(rest, runs, choice, spool, recording, sweep.retries, sweep.fail_fast, tuple(outside))
        try:
            with (
                frozen_source(spool.code, outside, anew),
                self.view.sweep(max(runs, begun + len(rest)), begun) as progress,
                Interrupts(spool.stop, self.view.say) as interrupts,
            ):
                progress.live, progress.running = spool.told, lambda: batch.running
                if choice.elsewhere:
                    # Importing the summary's packages takes a second, and this process only waits.
                    threading.Thread(target=load_summary, args=(self.view,), name="nnexp-load").start()
                batch.run(progress.ended)
                if self.jobs is not None:
                    # Not from a source that has been edited since.
                    load_summary(self.view)
                if wait or interrupts.number is not None:
                    self._settle()
        finally:
            recording.close()
            if wait:
                self._settle(wait=False)
        results |= recording.results() if wait else recording.trained()
        self.results |= results
        times = {
            "runs": len(rest), "composing": composing, "training": batch.training, "working": batch.working,
            "recording": recording.seconds, "batch": perf_counter() - start,
            "workers": choice.workers, "wall": perf_counter() - self._begun,
        }  # fmt: skip
        write_timings(place / "timings.json", times)
        if count := batch.broken_groups:
            self.view.say(commands.broken(count, place / "sweep.log"))
        interrupts.raise_if_any()
        return results

    def end(self, status: str = "") -> None:
        """Finish the parent run and print the table.

        Raises:
            StoreError: the store could not be opened.
        """
        try:
            self._ready()
        except BaseException:
            # Jobs were trained while the store was opened.
            self._say_unrecorded()
            raise
        self._settle()
        self.rows.sort(key=lambda row: row.job)
        if self._home is None:
            return
        if self._parent is not None:
            self._finish(self._parent, status or ("FAILED" if self.failed else "FINISHED"))
            if self.jobs is None and all(row.status == "killed" for row in self.rows):
                run_id = self.rows[0].run_id if self.rows else "latest"
                self.view.say(f"Resume: {commands.resume_run(self._flags, self.overrides, run_id)}")
        ended = not self.failed and all(row.status != "killed" for row in self.rows)
        if self._journal is not None and ended:
            shutil.rmtree(self._journal.with_name(FOLDER), ignore_errors=True)
        page = self._home.experiment_url() if self.jobs is None else self._home.sweep_url(self.sweep_id)
        self.view.summary(self.rows, self._home.ui_command(), page, self.verdict)
        self._say_unrecorded()

    def _finish(self, parent: JournalParent, status: str) -> None:
        """End the command's record in its store."""
        if self.jobs is None and not all(row.run_id for row in self.rows):
            # The next command delivers it.
            return
        try:
            if self.jobs is None:
                parent.finish(status)
                return
            import pandas as pd

            table = pd.DataFrame([row.values() for row in self.rows])
            limit = self._limits.pop() if len(self._limits) == 1 else None
            finish_parent(parent, table, status, limit, self.sweep_id)
        except SweepTaken:
            raise
        except Exception as error:
            self._unfinished = True
            what = "run's record" if self.jobs is None else "sweep's parent run"
            self.view.say(f"the {what} could not be finished: {reason_of(error)}")

    def _say_unrecorded(self) -> None:
        """Print the command that records runs which the store does not have."""
        if self._journal is None:
            return
        lost = self._process is not None and isinstance(self._process.error, StoreLost)
        if runs := len(journal.entries(self._journal) if lost else journal.left(self._journal)):
            said = f"Not recorded: {runs} run{'s' if runs != 1 else ''}. To record them: "
            self.view.say(said + commands.sync(self._journal))

    @property
    def failed(self) -> bool:
        """Whether a job failed or was never started, or the command's record could not be ended."""
        missing = len(self.rows) < (self.jobs or 1)
        return self._unfinished or missing or any(row.status == "failed" for row in self.rows)

    @property
    def goes_on_with(self) -> str:
        """The id of the sweep that this command continues, empty for none."""
        return ""

    def close(self) -> None:
        """Allow other commands to continue the work of this one, and remove its temporary folders."""
        self._own.close()
        for folder in self._temporary:
            shutil.rmtree(folder, ignore_errors=True)

    def _follow(self, jobs: Sequence[Trial], spool: Spool) -> Recorder:
        """Let the recording process follow the command's journal, which is created here.

        Raises:
            StoreError: the folder has an earlier journal that cannot be delivered.
            OSError: the journal cannot be written.
        """
        from nnexp.sweep.recording.process import recorder
        from nnexp.sweep.recording.recording import JournalParent

        config, folder = jobs[0].config, spool.journal
        if not self._stores:
            self.view.say(OPENING)
        process = self._process = self._process or recorder()
        self._own.begin(folder, config, self._beginning(jobs[0], spool))
        self._journal = folder
        self._parent = JournalParent(process, folder, self._stopped)
        if self.jobs is None:
            # So the store has it from its start, and another process can tell that it is trained here.
            spool.begin(jobs[0], self._tags(spool), 1, self._started)
        process.begin(folder, config.tracking.experiment)
        return process

    def _beginning(self, job: Trial, spool: Spool) -> Beginning:
        """The first record of the command's journal: a single run's own, or its sweep's parent run."""
        from nnexp.sweep.recording.spool import beginning

        return beginning(job, self._tags(spool), self._started)

    def _tags(self, spool: Spool) -> dict[str, str]:
        """Tags of all runs of the command."""
        tags = {journal.ENTRY: self.token, CLAIM: self.token, CHECKPOINTS: str(spool.checkpoints)}
        tags |= heartbeat()
        if self._resumed is not None:
            tags[RESUMES] = (self._resumed.before or [self._resumed.shorter])[-1].info.run_id
        return tags

    def _files(self, jobs: Sequence[Trial]) -> dict[str, bytes]:
        """Files that each run is recorded with, besides its own."""
        return source_files(jobs[0].config, jobs[0].code)

    def _goes_on(self, jobs: Sequence[Trial], checkpoints: Path) -> list[str]:
        """Bring the checkpoints of an earlier start here; return messages about them."""
        return carry(jobs[0], self._resumed, self._home, checkpoints)

    def _stopped(self) -> bool:
        return self._recording is not None and self._recording.stopped

    def _ready(self) -> None:
        """Wait until the store is open, and has the parent run if there is one.

        Raises:
            StoreError: it cannot be opened.
        """
        process = self._process
        if self._journal is not None and process is not None and self._home is None:
            process.wait(lambda: process.parent is not None, self._stopped)
            if process.parent is None:
                kept = f"the store does not answer; all trained runs are kept in {self._journal}"
                raise process.error or StoreError(kept)
            self._home = process.parent[0]

    def _found(self, job: Trial) -> Found | None:
        """What an earlier command left of the job; a result is added to the table."""
        return self._resumed

    def _settle(self, wait: bool = True) -> None:
        """Take the results of all trained jobs, with ``wait`` once the store has them or makes no progress."""
        from nnexp.sweep.resume import replace_before

        while self._unsettled:
            recording, jobs, known = self._unsettled[0]
            if wait:
                recording.settle()
            self._unsettled.pop(0)
            for number, result in recording.results().items():
                self._add(jobs[number], result)
                if result.status in ("finished", "diverged") and recording.process.error is None:
                    replace_before(self._home, known[number])

    def _add(self, job: Trial, result: RunResult) -> None:
        self._limits.add(job.config.dataset.best_accuracy())
        self.results[job.number] = result
        method, seed = job.config.optimizer.name, job.config.seed
        self.rows.append(row(job.number, method, seed, job.overrides, result, job.config, str(job.log)))
