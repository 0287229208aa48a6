"""Recording a command's outcomes: they are written to the journal, which another process delivers to the store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from nnexp.sweep.recording.process import PATIENCE_SECONDS, Recorder
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking import journal
from nnexp.tracking.left import clear
from nnexp.tracking.locations import SweepTaken
from nnexp.tracking.outcome import FEW_RUNS, Outcome, reason_of
from nnexp.tracking.protocol import Shared, milliseconds
from nnexp.tracking.recorder import RunResult, result
from nnexp.training.record import join

LOG = logging.getLogger(__name__)


class JournalParent:
    """The end of a command's journal and its parent run, if it has one, which another process records."""

    def __init__(self, process: Recorder, folder: Path, stopped: Any) -> None:
        self._process, self._file, self._stopped = process, folder / journal.PARENT, stopped

    @property
    def run_id(self) -> str:
        """Its id in the store, empty until it has one."""
        return "" if self._process.parent is None else self._process.parent[1]

    def record(self, *, numbers: Mapping[str, float]) -> None:
        """Record single numbers."""
        journal.append(self._file, [journal.framed("numbers", numbers=dict(numbers))])

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        self.log_files({file.relative_to(folder).as_posix(): file.read_bytes() for file in files})

    def log_files(self, contents: Mapping[str, bytes]) -> None:
        """Record artifacts by path."""
        journal.append(
            self._file, [journal.framed("file", content, path=path) for path, content in contents.items()]
        )

    def share(self, shared: Shared) -> None:
        """Make the views of the sweep."""
        journal.append(self._file, [journal.framed("views", shared=shared)])

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Set the last tags, end the run and those that have no end, and wait until the store has all of the journal.

        Raises:
            StoreError: it cannot be ended in its store.
            TimeoutError: the store does not answer.
        """
        # A run that was interrupted before its first iteration has none.
        end_cut_short(self._file.parent)
        journal.append(self._file, [journal.framed("end", status=status, tags=dict(tags or {}))], sync=True)
        if not self._process.wait(lambda: self._process.ended, self._stopped):
            raise self._process.error or TimeoutError(
                f"the store did not answer for {PATIENCE_SECONDS:.0f} s"
            )


class Recording:
    """Takes the outcomes of a command's jobs; training never waits for the store.

    Args:
        tags: of every run.
        runs: how many the whole command has.
        files: by path, recorded with every run besides its own.
    """

    def __init__(
        self, process: Recorder, tags: dict[str, str], spool: Spool, runs: int, files: dict[str, bytes]
    ) -> None:
        self.process, self.tags, self.spool, self.runs, self.files = process, tags, spool, runs, files
        self.seconds = 0.0
        self._taken: dict[int, RunResult] = {}
        self._stopped = False
        process.on_error = self._stop_in_vain
        self._stop_in_vain()

    @property
    def stopped(self) -> bool:
        """Whether the command is being stopped."""
        return self._stopped or self.spool.stopped

    def _stop_in_vain(self) -> None:
        """End training if it must not be recorded."""
        error = self.process.error
        if error is not None and (isinstance(error, SweepTaken) or self.process.parent is None):
            # The end of a batch may have removed the folder.
            with suppress(OSError):
                self.spool.stop()

    def take_all(
        self, made: Iterable[tuple[Trial, Outcome | Exception]]
    ) -> Iterator[tuple[Trial, RunResult]]:
        """Make sure that outcomes (or the exceptions instead of them) are in the journal, and write their logs.

        Raises:
            SweepTaken: another process has continued the sweep.
        """
        for job, one in made:
            begun = perf_counter()
            if isinstance(self.process.error, SweepTaken):
                raise self.process.error
            outcome = lost(one) if isinstance(one, Exception) else one
            if outcome.kept is None:
                outcome = self.spool.keep(journal_entry(job, self.tags, self.runs, outcome))
            ended = result("", "", outcome)
            if outcome.kept is None:
                ended = ended._replace(
                    status="failed",
                    reason=f"not recorded and lost, because {self.spool.journal} cannot be written",
                )
                # Later runs would be lost too.
                self.spool.stop()
            self._taken[job.number] = ended
            self._log(job, outcome, ended)
            self.seconds += perf_counter() - begun
            yield job, ended
        self.process.call()

    def close(self) -> None:
        """Remove the spool, after which no worker writes, and end the runs that were cut short."""
        self._stopped = self.spool.stopped
        self.spool.remove()
        if isinstance(self.process.error, SweepTaken) and "nnexp.sweep_id" not in self.tags:
            # The process that continues the run records all of it.
            clear(self.spool.journal)
        else:
            end_cut_short(self.spool.journal)

    def settle(self) -> None:
        """Wait until the store has all outcomes, while it makes progress.

        Raises:
            SweepTaken, StoreError: recording is no longer allowed, or the store cannot be opened.
        """
        begun, process = perf_counter(), self.process
        end_cut_short(self.spool.journal)
        wanted = {f"{number:06}" for number in self._taken}
        process.wait(lambda: wanted <= process.recorded.keys() | process.kept.keys(), lambda: self.stopped)
        error = process.error
        if error is not None and (isinstance(error, SweepTaken) or process.parent is None):
            raise error
        self.seconds += perf_counter() - begun

    def results(self) -> dict[int, RunResult]:
        """The results by job number, with the pages of recorded runs."""
        return {number: self._settled(number, ended) for number, ended in self._taken.items()}

    def _settled(self, number: int, ended: RunResult) -> RunResult:
        name = f"{number:06}"
        if where := self.process.recorded.get(name):
            return ended._replace(run_id=where.run_id, url=where.url)
        why = self.process.kept.get(name) or (
            reason_of(self.process.error) if self.process.error else "the store did not answer"
        )
        reason = f"not recorded ({why}); its files are in {self.spool.journal / name}{journal.RUN}"
        return ended._replace(status="failed", reason=reason)

    def _log(self, job: Trial, made: Outcome, ended: RunResult) -> None:
        """Append a job's events to its log; in a large sweep only runs that did not finish have one."""
        from datetime import datetime

        if self.runs > FEW_RUNS and ended.status == "finished":
            return
        lines = [
            f"{ended.status}: {ended.reason}" if ended.reason else f"{ended.status}: loss {ended.loss:.6g}"
        ]
        lines += [made.trace.rstrip()] if made.trace else []
        level = "ERROR" if ended.status == "failed" else "INFO"
        try:
            job.log.parent.mkdir(parents=True, exist_ok=True)
            with open(job.log, "a", encoding="utf-8") as log:
                log.writelines(
                    f"[{datetime.now():%Y-%m-%d %H:%M:%S}][nnexp][{level}] - {line}\n" for line in lines
                )
        except OSError as error:
            LOG.warning("%s cannot be written: %s", job.log, error)


def end_cut_short(folder: Path) -> None:
    """End the runs of a journal whose worker was ended, or that never began."""
    for file in journal.left(folder):
        try:
            if not journal.has_ended(file):
                journal.append(file, journal.ended(journal.read(file)))
        except FileNotFoundError:
            # The store has it by now.
            continue
        except (OSError, ValueError) as error:
            LOG.warning("a run that was cut short could not be ended (%s)", error)


def lost(error: Exception) -> Outcome:
    """The outcome of a job whose worker has ended, or could not send its result."""
    now = milliseconds()
    return Outcome(
        status="failed", reason=reason_of(error), trace="", started=now, ended=now, rows=join([]), iterations=0,
        evaluations=0, seconds=0.0, tags={}, numbers={}, files={}, images=[], model={}, example=None, dataset=None,
    )  # fmt: skip
