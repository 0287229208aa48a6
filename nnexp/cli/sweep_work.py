"""The work of a sweep: begun while the store opens, resumed, trained in groups."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console

from nnexp.cli.interrupts import Interrupts
from nnexp.cli.later import Later
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.cli.work import Work
from nnexp.config import Config
from nnexp.sweep.trial import Ended, Trial
from nnexp.tracking import locations
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.resume import Claim, Earlier


class SweepWork(Work):
    """A sweep's runs, below a parent run.

    Args:
        out: where progress and the table go.
        overrides: of the whole command.
        jobs: how many there will be.
    """

    def __init__(self, out: Console, overrides: Sequence[str], jobs: int) -> None:
        super().__init__(out, overrides, jobs)
        self._skipped = 0
        self._why: Counter[str] = Counter()
        self._begun, self._started = perf_counter(), milliseconds()
        self._earlier: Earlier | None = None
        self._opener: Later | None = None

    def _begin(self, config: Config) -> None:
        """Once, begin to open the store and the parent run, or find the sweep that is to be resumed.

        MLflow takes seconds to load and to open a store, which the first jobs need not wait for.

        Raises:
            StoreError: the store cannot be, or has no such sweep.
        """
        if self._opener is not None or self._earlier is not None:
            return
        locations.resolve(config.tracking.uri)
        if config.sweep.resume is False:
            self._opener = Later(lambda: self._open(config))
            return
        from nnexp.sweep import resume

        self._home = self.store(config)
        keep = config.sweep.stale_code == "keep"
        earlier = self._earlier = resume.find(self._home, config.sweep.resume, self.overrides, keep)
        self.sweep_id = earlier.sweep_id
        for left in earlier.unfinished:
            resume.give_up(self._home, left)
        self._parent = self._home.resume_parent(earlier.parent.info.run_id)

    def _open(self, config: Config) -> None:
        self._home = self.store(config)
        tags = {"nnexp.sweep_id": self.sweep_id, "nnexp.overrides": " ".join(self.overrides)}
        params = {"overrides": " ".join(self.overrides), "jobs": str(self.jobs)}
        self._parent = self._home.start_parent(f"sweep {self.sweep_id}", params, tags, self._started)

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
        from nnexp.sweep.spool import Spool

        self._begin(jobs[0].config)
        claims = {job.number: self._claim(job) for job in jobs}
        rest = [job for job in jobs if (claim := claims[job.number]) is None or claim.result is None]
        self._say_skipped()
        results = {number: claim.result for number, claim in claims.items() if claim and claim.result}
        if not rest:
            return results
        sweep, runs = jobs[0].config.sweep, self.jobs or 1
        spool = Spool(place.absolute() / "spool")
        spool.make()

        def home(job: Trial) -> Home:
            self._ready()
            store = self.store(job.config)
            assert self._parent is not None
            recording.keep_alive(self._parent)
            return Home(store, self._parent_in(store))

        recording = Recording(
            {job.number: job for job in rest}, home, {"nnexp.sweep_id": self.sweep_id}, spool, runs
        )
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
            with progress, Interrupts(spool.stop, self._say) as interrupts, recording:
                batch.run(ended)
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
        if claim is not None and claim.before is not None and self._home is not None:
            from nnexp.sweep.resume import replace

            with contextlib.suppress(Exception):
                replace(self._home, claim.before)

    def _say_skipped(self) -> None:
        if self._earlier is not None and (self._skipped or self._why):
            why = ", ".join(f"{count} {reason}" for reason, count in self._why.items())
            self._say(
                f"sweep {self.sweep_id}: {self._skipped} runs are there and skipped"
                + (f"; run again: {why}" if why else "")
            )
            self._skipped, self._why = 0, Counter()
