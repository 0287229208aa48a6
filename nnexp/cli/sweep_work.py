"""The work of a sweep: begun while the store opens, resumed, trained in groups."""

from __future__ import annotations

import contextlib
import json
import shlex
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console

from nnexp.cli.interrupts import Interrupts
from nnexp.cli.later import Later
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.cli.work import OPENING, Work
from nnexp.config import Config
from nnexp.sweep.identity import KEY, sweep_key
from nnexp.sweep.trial import Ended, Trial
from nnexp.tracking import locations
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.recording_process import RecordingProcess
    from nnexp.sweep.recording_server import Beginning, Opened
    from nnexp.sweep.resume import Claim, Earlier
    from nnexp.tracking.mlflow_store import Store


class SweepWork(Work):
    """A sweep's runs, below a parent run.

    Args:
        out: where progress and the table go.
        overrides: of the whole command.
        jobs: how many there will be.
        process: records jobs that are trained in groups; without it this process does.
    """

    def __init__(
        self, out: Console, overrides: Sequence[str], jobs: int, process: RecordingProcess | None = None
    ) -> None:
        super().__init__(out, overrides, jobs)
        self._process = process
        self._skipped = 0
        self._why: Counter[str] = Counter()
        self._begun, self._started = perf_counter(), milliseconds()
        self._earlier: Earlier | None = None
        self._opener: Later | None = None
        self._opened_with: Config | None = None

    def _begin(self, config: Config, process: RecordingProcess | None = None) -> None:
        """Once, begin to open the store and the parent run, or find the sweep that is to be resumed.

        MLflow takes seconds to load and to open a store, which the first jobs need not wait for.

        Raises:
            StoreError: the store cannot be, or has no such sweep.
        """
        if self._opener is not None or self._earlier is not None:
            return
        locations.resolve(config.tracking.uri)
        if config.sweep.resume is False:
            self._opened_with, opening = config, None
            if process is not None:
                self._say(OPENING)
                where = config.tracking.uri, config.tracking.experiment
                # Here, before anything else is asked for.
                opening = process.call("open_sweep", *where, self._beginning(config))
            self._opener = Later(lambda: self._open(config, process, opening))
            return
        from nnexp.sweep import resume

        self._home = store = self.store(config)
        earlier = self._earlier = resume.find(store, config.sweep, self.overrides)
        self.sweep_id = earlier.sweep_id
        if not earlier.same:
            added = "was started with other settings or another grid; jobs are added to it"
            self._say(f"sweep {self.sweep_id} {added}")
        for left in earlier.unfinished:
            resume.give_up(store, left)
        self._parent = store.resume_parent(earlier.parent.info.run_id)

    def _beginning(self, config: Config) -> Beginning:
        from nnexp.sweep.recording_server import Beginning

        words, key = shlex.join(self.overrides), sweep_key(self.overrides, config.sweep)
        tags = {"nnexp.sweep_id": self.sweep_id, "nnexp.overrides": words, KEY: key}
        params = {"overrides": words, "jobs": str(self.jobs)}
        return Beginning(f"sweep {self.sweep_id}", params, tags, self._started)

    def _open(self, config: Config, process: RecordingProcess | None, opening: Future[Opened] | None) -> None:
        if process is not None and opening is not None:
            from nnexp.sweep.recording_process import Lost
            from nnexp.sweep.remote_recording import RemoteParent
            from nnexp.tracking.pages import Pages

            try:
                opened = opening.result()
            except Lost:
                pass
            else:
                self._home = Pages(opened.uri, config.tracking.experiment, opened.experiment_id)
                self._parent = RemoteParent(process, opened.parent, lambda: self.store(config))
                return
        self._home = store = self.store(config)
        begun = [] if opening is None else self._recorded(store, "sweep")
        if begun:
            self._parent = store.run(begun[0].info.run_id)
        else:
            self._parent = store.start_parent(*self._beginning(config))

    def _recorded(self, store: Store, kind: str) -> list[Any]:
        """What is there of this sweep: its parent (kind ``sweep``), or its runs."""
        from nnexp.sweep.resume import search

        return search(store, f"tags.`nnexp.kind` = '{kind}' and tags.`nnexp.sweep_id` = '{self.sweep_id}'")

    def run(self, job: Trial) -> RunResult:
        """Train and record one job here, as :meth:`Work.run` does."""
        self._begin(job.config)
        return super().run(job)

    def batch(
        self, jobs: Sequence[Trial], choice: EngineChoice, place: Path, composing: float
    ) -> dict[int, RunResult]:
        """Train jobs in groups by an engine and record them as they end; results by the job's number.

        Args:
            place: the sweep's folder.
            composing: seconds that it took to compose the jobs.

        Raises:
            StoreError: the store cannot be opened.
            EngineError: the engine cannot be used.
            KeyboardInterrupt: on a signal, after what was running was recorded as KILLED.
        """
        from nnexp.sweep.batch import Batch
        from nnexp.sweep.recording import Home, Recording
        from nnexp.sweep.remote_recording import RemoteRecording
        from nnexp.sweep.source import frozen_source
        from nnexp.sweep.spool import Spool
        from nnexp.sweep.worker import CODE

        process = self._process if jobs[0].config.sweep.resume is False else None
        self._begin(jobs[0].config, process)
        claims = {job.number: self._claim(job) for job in jobs}
        rest = [job for job in jobs if (claim := claims[job.number]) is None or claim.result is None]
        self._say_skipped()
        results = {number: claim.result for number, claim in claims.items() if claim and claim.result}
        if not rest:
            return results
        sweep, runs = jobs[0].config.sweep, self.jobs or 1
        spool = Spool(place.absolute() / "spool")
        spool.make()
        code = spool.folder / "code"
        by_number = {job.number: job for job in rest}
        tags = {"nnexp.sweep_id": self.sweep_id, "nnexp.code_hash": CODE}

        def home(job: Trial) -> Home:
            self._ready()
            store = self.store(job.config)
            assert self._parent is not None
            here.keep_alive(self._parent)
            return Home(store, self._parent_in(store))

        here = Recording(by_number, home, tags, spool, runs)

        def go_on() -> Recording:
            self._come_home()
            for store in {self.store(job.config) for job in rest}:
                here.adopt(self._recorded(store, "run"))
            return here

        recording: Recording | RemoteRecording = here
        if process is not None:
            recording = RemoteRecording(process, by_number, tags, spool, code, runs, go_on)
        start = perf_counter()
        batch = Batch(rest, runs, choice, spool, recording, sweep.retries, sweep.fail_fast)
        progress = SweepProgress(self.out, len(rest))

        def ended(one: Ended) -> None:
            progress.running = batch.running
            progress.ended(one)
            if one.result is None:
                return
            self._add(one.job, one.result)
            results[one.job.number] = one.result
            if one.result.status in ("finished", "diverged"):
                self._replace(claims[one.job.number])

        try:
            with (
                frozen_source(code),
                progress,
                Interrupts(spool.stop, self._say) as interrupts,
                recording,
            ):
                if process is not None and choice.elsewhere:
                    # The summary's packages take half a second to load, and this process only waits.
                    threading.Thread(target=_load, name="nnexp-load").start()
                batch.run(ended)
                # Not from a source that was edited meanwhile.
                _load()
        finally:
            spool.remove()
        times = {
            "runs": len(rest), "composing": composing, "training": batch.training, "working": batch.working,
            "recording": recording.seconds, "batch": perf_counter() - start,
            "workers": choice.workers, "wall": perf_counter() - self._begun,
        }  # fmt: skip
        (place / "timings.json").write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
        interrupts.raise_if_any()
        return results

    def end(self, status: str = "") -> None:
        """Finish the parent run, print the table, and where runs are missing the command that resumes.

        Raises:
            StoreError: the store could not be opened.
        """
        self._ready()
        self._say_skipped()
        super().end(status)
        if self._home is None:
            return
        if self.rows:
            where = (
                []
                if self._home.uri == locations.resolve(None)
                else ["--uri", locations.public(self._home.uri)]
            )
            where += [] if self._home.experiment == "nnexp" else ["--experiment", self._home.experiment]
            command = shlex.join(["python", "-m", "nnexp.report", self.sweep_id, *where])
            self.out.print(f"Compare: {command}", highlight=False, soft_wrap=True, markup=False)
        if self.failed or any(row.status == "killed" for row in self.rows):
            given = [o for o in self.overrides if not o.startswith("sweep.resume")]
            words = shlex.join(["python", "-m", "nnexp.run", "-m", *given, f"sweep.resume={self.sweep_id}"])
            self.out.print(f"Resume: {words}", highlight=False, soft_wrap=True, markup=False)

    @property
    def failed(self) -> bool:
        """Whether a job failed, or was never begun."""
        return super().failed or len(self.rows) < (self.jobs or 0)

    def _come_home(self) -> None:
        """Open here what a process had opened that is gone."""
        self._ready()
        assert self._opened_with is not None
        store = self.store(self._opened_with)
        if self._home is not store and self._parent is not None:
            self._home, self._parent = store, store.run(self._parent.run_id)

    def _ready(self) -> None:
        """Wait until the store is open and the parent is there."""
        if self._opener is not None:
            self._opener.result()

    def _claim(self, job: Trial) -> Claim | None:
        """What a resumed sweep has of the job already; a result goes to the table."""
        if self._earlier is None:
            return None
        claim = self._earlier.claim(job.config)
        if claim.result is None:
            self._why[claim.why] += 1
        else:
            self._skipped += 1
            self._add(job, claim.result)
        return claim

    def _replace(self, claim: Claim | None) -> None:
        if claim is not None and claim.before is not None and self._earlier is not None:
            from nnexp.sweep.resume import replace

            with contextlib.suppress(Exception):
                replace(self._earlier.store, claim.before)

    def _say_skipped(self) -> None:
        if self._earlier is not None and (self._skipped or self._why):
            why = ", ".join(f"{count} {reason}" for reason, count in self._why.items())
            self._say(
                f"sweep {self.sweep_id}: {self._skipped} runs are there and skipped"
                + (f"; run again: {why}" if why else "")
            )
            self._skipped, self._why = 0, Counter()


def _load() -> None:
    with contextlib.suppress(Exception):
        import pandas as pd  # noqa: F401

        import nnexp.plots  # noqa: F401
