"""The jobs of one command: trained and recorded, with their parent run."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shlex
import shutil
import threading
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nnexp.config.schema import Config
from nnexp.sweep import commands
from nnexp.sweep.identity import code_hash, config_hash, run_key
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Row, View
from nnexp.tracking import locations
from nnexp.tracking.bring_in import Stores, bring_in_each
from nnexp.tracking.claim import CHECKPOINTS, CONTINUED, RESUMES
from nnexp.tracking.journal import FOLDER, RUN
from nnexp.tracking.journal import left as left_in
from nnexp.tracking.left import left
from nnexp.tracking.locations import SweepTaken, conceal
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent import finish_parent
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from nnexp.sweep.recording.recording import JournalParent
    from nnexp.sweep.resume import Found
    from nnexp.tracking.mlflow_store import MlflowRun, Store
    from nnexp.tracking.pages import Pages

LOG = logging.getLogger(__name__)

OPENING = "opening the store ..."


class Work:
    """One command's runs.

    Args:
        view: shows progress and the table.
        overrides: of the whole command.
        jobs: their number; None for a single run, which has no parent.
        flags: the command's, which change the meaning of its settings.
    """

    def __init__(
        self, view: View, overrides: Sequence[str], jobs: int | None, flags: Sequence[str] = ()
    ) -> None:
        self._flags = list(flags)
        self.view, self.overrides, self.jobs = view, list(overrides), jobs
        self.sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.rows: list[Row] = []
        self.results: dict[int, RunResult] = {}
        self.verdict = ""
        """The answer of a sweep that chooses its seeds; empty for others, which are compared by the view."""
        self._limits: set[float | None] = set()
        self._stores: dict[tuple[str | None, str], Store] = {}
        self._opening = threading.Lock()
        self._parent: MlflowRun | JournalParent | None = None
        self._home: Pages | None = None
        self._unfinished = False
        self._resumed: Found | None = None

    def store(self, config: Config) -> Store:
        """The store that a config names, opened once; MLflow is loaded here and not before.

        Raises:
            StoreError: it cannot be written or reached.
        """
        key = (config.tracking.uri, config.tracking.experiment)
        with self._opening:
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
        from nnexp.sweep.resume_run import find_run

        journals = [one.folder for one in left(config.tracking.uri) if not one.sweep_id]
        file = locations.database(locations.resolve(config.tracking.uri))
        # No store is created only to be searched.
        store = None if file is not None and not file.exists() and not journals else self.store(config)
        for problem in bring_in_each(Stores(), journals).problems:
            LOG.warning("%s", problem)
        self._resumed = find_run(store, config, code_hash(config))

    def run(self, job: Trial) -> RunResult:
        """Train and record one job here; an error fails only this job, and is shown in the table.

        Raises:
            ConfigError: settings that do not go together.
            StoreError: the store cannot be opened.
            KeyboardInterrupt: on a signal, after the run was ended as KILLED.
        """
        from nnexp.sweep.checkpoints import where
        from nnexp.sweep.longer import end_of
        from nnexp.training.checkpoint import Checkpoint, go_on
        from nnexp.training.prepare import Prepared, prepare

        config = job.config

        def prepared() -> list[Prepared]:
            return [prepare(config, config.tracking.log_every, config.tracking.snapshots)]

        group = go_on(prepared, [], config.tracking.keep_state)
        self._ready()
        store = self.store(config)
        self._home = self._home or store
        claim = self._found(job)
        if claim is not None and claim.result is not None:
            return claim.result
        folder, saved, notes = where(job, claim, store)
        for note in notes:
            self.view.say(note)
        if saved is not None:
            group = go_on(prepared, [saved], config.tracking.keep_state)
        checkpoint = Checkpoint(
            folder, group, [run_key(config, job.code)], config.tracking.checkpoint_seconds
        )
        of = f"[{len(self.rows) + 1}/{self.jobs}] " if self.jobs else ""
        title = f"{of}{config.optimizer.name} seed {config.seed}"
        begun = {"id": "", "url": ""}
        tags = {"nnexp.config_hash": config_hash(config), "nnexp.code_hash": job.code}
        tags |= {CHECKPOINTS: str(folder)}
        if self.jobs is None and claim is not None:
            tags[RESUMES] = (claim.before or [claim.shorter])[-1].info.run_id
        if group.runs[0].iterations:
            tags |= {CONTINUED: str(group.runs[0].iterations)}
        if self.jobs is not None:
            tags |= {"nnexp.sweep_id": self.sweep_id, "nnexp.job": str(job.number)}

        def started(run_id: str, url: str) -> None:
            begun.update(id=run_id, url=url)

        try:
            from nnexp.tracking.recorder import record_run
            from nnexp.tracking.source import source_files

            with self.view.run(group.runs[0], title) as progress:
                result = record_run(
                    store,
                    group,
                    config,
                    job.name,
                    tags,
                    parent=self._parent_in(store),
                    overrides=[o for o in job.overrides if not o.startswith("resume=")],
                    on_rows=progress.rows,
                    on_start=started,
                    runs=self.jobs or 1,
                    place=self._journal_of(job.log) / f"{job.number:06}{RUN}",
                    source=source_files(config, job.code) if self.jobs is None else None,
                    checkpoint=checkpoint,
                    at_end=lambda: end_of(config, job.code, group.runs[0].end),
                )
        except SweepTaken:
            raise
        except Exception as error:
            LOG.error("job failed\n%s", conceal(traceback.format_exc()))
            reason = reason_of(error)
            result = _nothing(begun, "failed", reason)
            self._add(job, result)
            self.view.say(f"{title}: failed: {reason}")
        except BaseException:
            self._add(job, _nothing(begun, "killed", ""))
            raise
        else:
            self._add(job, result)
            shutil.rmtree(folder, ignore_errors=True)
            if result.status in ("finished", "diverged"):
                self._replace(claim)
            accuracy = "" if math.isnan(result.accuracy) else f", accuracy {result.accuracy:.3f}"
            self.view.say(
                f"{title}: {result.status}, loss {result.loss:.4f}{accuracy} in {result.seconds:.2f} s"
            )
        return result

    def attach(self, folder: Path) -> None:
        """Record a folder's files with the parent run."""
        self._ready()
        if self._parent is None:
            return
        try:
            self._parent.log_artifacts(folder)
        except Exception as error:
            self.view.say(f"{folder} could not be recorded with the sweep: {reason_of(error)}")

    def end(self, status: str = "") -> None:
        """Finish the parent run and print the table.

        Raises:
            StoreError: the store could not be opened.
        """
        self._ready()
        self.rows.sort(key=lambda row: row.job)
        if self._parent is not None and self._home is not None:
            import pandas as pd

            status = status or ("FAILED" if self.failed else "FINISHED")
            table = pd.DataFrame([row.values() for row in self.rows])
            try:
                limits = self._limits
                limit = limits.pop() if len(limits) == 1 else None
                finish_parent(self._parent, table, status, limit, self.sweep_id)
            except SweepTaken:
                raise
            except Exception as error:
                self._unfinished = True
                self.view.say(f"the sweep's parent run could not be finished: {reason_of(error)}")
        if self._home is None:
            return
        if self.jobs is None and any(row.status == "killed" and row.run_id for row in self.rows):
            given = [o for o in self.overrides if not o.lstrip("+").startswith("resume=")]
            words = ["python", "-m", "nnexp.run", *self._flags, *given, f"resume={self.rows[0].run_id}"]
            self.view.say(f"Resume: {shlex.join(words)}")
        page = self._home.experiment_url() if self.jobs is None else self._home.sweep_url(self.sweep_id)
        self.view.summary(self.rows, self._home.ui_command(), page, self.verdict)
        self._say_unrecorded()

    def _say_unrecorded(self) -> None:
        """Print the command that records runs which the store does not have."""
        folders = {self._journal_of(Path(row.log)) for row in self.rows if not row.run_id}
        if runs := sum(len(left_in(folder)) for folder in folders):
            self._say_left(runs, Path(os.path.commonpath(folders)))

    def _journal_of(self, log: Path) -> Path:
        """The folder for what cannot be recorded of the job that has this log; one for all jobs of a sweep."""
        return log.absolute().parents[0 if self.jobs is None else 1] / FOLDER

    def _say_left(self, runs: int, folder: Path) -> None:
        said = f"Not recorded: {runs} run{'s' if runs != 1 else ''}. To record them: {commands.sync(folder)}"
        self.view.say(said)

    @property
    def failed(self) -> bool:
        """Whether a job failed or was never started, or the sweep could not be ended."""
        return self._unfinished or any(row.status == "failed" for row in self.rows)

    @property
    def goes_on_with(self) -> str:
        """The id of the sweep that this command continues, empty for none."""
        return ""

    def close(self) -> None:
        """Allow other commands to continue the work of this one."""

    def _ready(self) -> None:
        """Wait until the store is open."""

    def _found(self, job: Trial) -> Found | None:
        """What an earlier command left of the job; a result is added to the table."""
        claim = self._resumed
        if claim is not None and claim.result is not None:
            self._add(job, claim.result)
            self.view.say(f"run {claim.result.run_id} is already recorded and has finished")
        return claim

    def _replace(self, claim: Found | None) -> None:
        """Remove the runs that a finished job replaces."""
        if claim is None:
            return
        from nnexp.sweep.resume import replace

        for run in claim.before:
            try:
                replace(self._home, run)
            except Exception as error:
                # The new run is recorded; the old one stays too.
                LOG.warning("run %s could not be removed (%s)", run.info.run_id, reason_of(error))

    def _parent_in(self, store: Store) -> str | None:
        return None if self._parent is None or store is not self._home else self._parent.run_id

    def _add(self, job: Trial, result: RunResult) -> None:
        self._limits.add(job.config.dataset.best_accuracy())
        self.results[job.number] = result
        method, seed = job.config.optimizer.name, job.config.seed
        self.rows.append(row(job.number, method, seed, job.overrides, result, job.config, str(job.log)))


def row(
    number: int,
    method: str,
    seed: int,
    overrides: Sequence[str],
    result: RunResult,
    config: Config,
    log: str = "",
) -> Row:
    """A job's row of the table, without overrides of the sweep as a whole."""
    numbers = {name: getattr(result, name) for name in Row._fields if hasattr(result, name)}
    own = " ".join(text for text in overrides if not text.startswith("sweep."))
    return Row(number, method, seed, own, log=log, config=config, **numbers)


def _nothing(begun: dict[str, str], status: str, reason: str) -> RunResult:
    return RunResult(begun["id"], begun["url"], status, {}, 0, 0, math.nan, reason)
