"""Work: the jobs of one command, trained and recorded, with their parent run."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import secrets
import shlex
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich.console import Console

from nnexp.cli.interrupts import Interrupts
from nnexp.cli.later import Later
from nnexp.cli.progress import RunProgress
from nnexp.cli.summary import Row, print_summary
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.config import Config
from nnexp.sweep.identity import code_hash, config_hash
from nnexp.sweep.trial import Ended, Trial
from nnexp.tracking import locations
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from nnexp.sweep.batch import EngineChoice
    from nnexp.sweep.resume import Claim, Earlier
    from nnexp.tracking.mlflow_store import MlflowRun, Store

LOG = logging.getLogger(__name__)


class Work:
    """One command's runs.

    Args:
        out: where progress and the table go.
        overrides: of the whole command.
        jobs: how many there will be; None for a single run, which has no parent.
    """

    def __init__(self, out: Console, overrides: Sequence[str], jobs: int | None) -> None:
        self.out, self.overrides, self.jobs = out, list(overrides), jobs
        self.sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.rows: list[Row] = []
        self.not_begun = 0
        self._skipped = 0
        self._why: Counter[str] = Counter()
        self._begun = perf_counter()
        self._stores: dict[tuple[str | None, str], Store] = {}
        self._opening = threading.Lock()
        self._parent: MlflowRun | None = None
        self._home: Store | None = None
        self._earlier: Earlier | None = None
        self._opener: Later | None = None

    def store(self, config: Config) -> Store:
        """The store that a config names, opened once; MLflow is loaded here and not before.

        Raises:
            StoreError: it cannot be written or reached.
        """
        key = (config.tracking.uri, config.tracking.experiment)
        with self._opening:
            if key not in self._stores:
                # A store that cannot be is refused at once, before MLflow takes a second to load.
                locations.resolve(config.tracking.uri)
                if not self._stores:
                    self._say("opening the store ...")
                from nnexp.tracking.mlflow_store import Store

                self._stores[key] = Store.open(*key)
            return self._stores[key]

    def begin(self, config: Config) -> None:
        """Begin to open the store of a sweep and its parent run, or find the sweep that is to be resumed.

        MLflow takes seconds to load and to open a store, which the first jobs need not wait for.

        Raises:
            StoreError: the store cannot be, or has no such sweep.
        """
        locations.resolve(config.tracking.uri)
        if config.sweep.resume is False:
            self._opener = Later(lambda: self._open(config))
            return
        from nnexp.sweep import resume

        self._home = self.store(config)
        keep = config.sweep.stale_code == "keep"
        earlier = self._earlier = resume.find(self._home, config.sweep.resume, self.overrides, keep)
        self.sweep_id = earlier.sweep_id
        resume.give_up(self._home, earlier.unfinished)
        self._parent = self._home.resume_parent(earlier.parent.info.run_id)

    def _open(self, config: Config) -> None:
        self._home = self.store(config)
        tags = {"nnexp.sweep_id": self.sweep_id, "nnexp.overrides": " ".join(self.overrides)}
        params = {"overrides": " ".join(self.overrides), "jobs": str(self.jobs)}
        self._parent = self._home.start_parent(f"sweep {self.sweep_id}", params, tags)

    def run(self, job: Trial) -> RunResult:
        """Train and record one job here; an error fails this job alone, and is kept for the table.

        Raises:
            ConfigError: settings that do not go together.
            StoreError: the store cannot be opened.
            KeyboardInterrupt: on a signal, after the run was ended as KILLED.
        """
        from nnexp.session import Session, prepare

        config = job.config
        session = Session(prepare(config))
        self._ready()
        store = self.store(config)
        self._home = self._home or store
        claim = self._claim(job)
        if claim is not None and claim.result is not None:
            return claim.result
        of = f"[{len(self.rows) + 1}/{self.jobs}] " if self.jobs else ""
        title = f"{of}{config.optimizer.name} seed {config.seed}"
        begun = {"id": "", "url": ""}
        tags = {"nnexp.config_hash": config_hash(config), "nnexp.code_hash": code_hash()}
        if self.jobs is not None:
            tags["nnexp.sweep_id"] = self.sweep_id

        def started(run_id: str, url: str) -> None:
            begun.update(id=run_id, url=url)

        try:
            from nnexp.tracking.recorder import record_session

            with RunProgress(self.out, session, title) as progress:
                result = record_session(
                    store,
                    session,
                    config,
                    job.name,
                    tags,
                    parent=self._parent_in(store),
                    overrides=job.overrides,
                    on_rows=progress.rows,
                    on_start=started,
                    runs=self.jobs or 1,
                )
        except Exception as error:
            LOG.exception("job failed")
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            result = _nothing(begun, "failed", reason)
            self._add(job, result)
            self._say(f"{title}: failed: {reason}")
        except BaseException:
            self._add(job, _nothing(begun, "killed", ""))
            raise
        else:
            self._add(job, result)
            self._replace(claim)
            accuracy = "" if math.isnan(result.accuracy) else f", accuracy {result.accuracy:.3f}"
            self._say(f"{title}: {result.status}, loss {result.loss:.4f}{accuracy} in {result.seconds:.2f} s")
        return result

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

        claims = {job.number: self._claim(job) for job in jobs}
        rest = [job for job in jobs if (claim := claims[job.number]) is None or claim.result is None]
        self._say_skipped()
        results = {number: claim.result for number, claim in claims.items() if claim and claim.result}
        if not rest:
            return results
        sweep = jobs[0].config.sweep
        spool = Spool(place.absolute() / "spool")
        spool.make()

        def home(job: Trial) -> Home:
            self._ready()
            store = self.store(job.config)
            assert self._parent is not None
            recording.keep_alive(self._parent)
            return Home(store, self._parent_in(store))

        recording = Recording(
            {job.number: job for job in rest}, home, {"nnexp.sweep_id": self.sweep_id}, spool
        )
        start = perf_counter()
        with SweepProgress(self.out, len(rest)) as progress, Interrupts(spool.stop, self._say) as interrupts:
            with recording:
                batch = Batch(rest, self.jobs or 1, choice, spool, recording, sweep.retries, sweep.fail_fast)

                def ended(one: Ended) -> None:
                    progress.running = batch.running
                    progress.ended(one)
                    if one.result is None:
                        self.not_begun += 1
                        return
                    self._add(one.job, one.result)
                    results[one.job.number] = one.result
                    if one.result.status in ("finished", "diverged"):
                        self._replace(claims[one.job.number])

                batch.run(ended)
            times = {
                "runs": len(rest), "composing": composing, "training": batch.training, "working": batch.working,
                "recording": recording.seconds, "batch": perf_counter() - start,
                "workers": choice.workers, "wall": perf_counter() - self._begun,
            }  # fmt: skip
            (place / "timings.json").write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
            spool.remove()
            interrupts.raise_if_any()
        return results

    def end(self, status: str = "") -> None:
        """Finish the parent run and print the table.

        Raises:
            StoreError: the store could not be opened.
        """
        self._ready()
        if self._parent is not None and self._home is not None:
            import pandas as pd

            status = status or ("FAILED" if self.failed or self.not_begun else "FINISHED")
            table = pd.DataFrame(self.rows, columns=list(Row._fields))
            try:
                self._home.finish_parent(self._parent, table, status)
            except Exception as error:
                self._say(f"the parent run could not be finished: {error}")
        if self._home is None:
            return
        self._say_skipped()
        page = self._home.experiment_url() if self.jobs is None else self._home.sweep_url(self.sweep_id)
        print_summary(self.out, self.rows, self._home.ui_command(), page)
        missing = self.jobs is not None and (self.not_begun or len(self.rows) < self.jobs or self.failed)
        if missing or any(row.status == "killed" for row in self.rows if self.jobs is not None):
            given = [o for o in self.overrides if not o.startswith("sweep.resume")]
            words = shlex.join(["python", "-m", "nnexp.run", "-m", *given, f"sweep.resume={self.sweep_id}"])
            self.out.print(f"Resume: {words}", highlight=False, soft_wrap=True, markup=False)

    @property
    def failed(self) -> bool:
        """Whether a job failed."""
        return any(row.status == "failed" for row in self.rows)

    def _ready(self) -> None:
        """Wait until the store is open and the parent is there."""
        if self._opener is not None:
            self._opener.result()

    def _parent_in(self, store: Store) -> str | None:
        return None if self._parent is None or store is not self._home else self._parent.run_id

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

    def _add(self, job: Trial, result: RunResult) -> None:
        numbers = {name: getattr(result, name) for name in Row._fields if hasattr(result, name)}
        about = (job.config.optimizer.name, job.config.seed, " ".join(job.overrides))
        self.rows.append(Row(*about, **(numbers | {"log": str(job.log)})))

    def _say(self, line: str) -> None:
        self.out.print(line, highlight=False, markup=False)


def _nothing(begun: dict[str, str], status: str, reason: str) -> RunResult:
    nan = math.nan
    return RunResult(begun["id"], begun["url"], status, nan, nan, nan, nan, 0, 0, nan, reason)
