"""A batch of jobs: trained in groups by an engine, and recorded as they end."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import joblib

from nnexp.config.error import ConfigError
from nnexp.sweep.engines.engine import EngineError, check_engine, run_tasks
from nnexp.sweep.identity import package_hash
from nnexp.sweep.plan import plan
from nnexp.sweep.recording.recording import Recording
from nnexp.sweep.recording.spool import Spool
from nnexp.sweep.trial import Ended, Trial
from nnexp.sweep.worker import Done, Task, train
from nnexp.tracking.outcome import Outcome
from nnexp.tracking.source import git_state

LOG = logging.getLogger(__name__)


class EngineChoice(NamedTuple):
    """How jobs are trained: see :func:`nnexp.sweep.engines.engine.run_tasks`; ``group`` limits a group's runs."""

    backend: str = "loky"
    n_jobs: int = -1
    address: str | None = None
    group: int | None = None

    @property
    def workers(self) -> int:
        """How many groups are trained at once; the number of a cluster is not known here."""
        return joblib.cpu_count() if self.n_jobs == -1 else self.n_jobs

    @property
    def elsewhere(self) -> bool:
        """Whether jobs are trained in other processes."""
        return self.backend in ("dask", "ray") or (self.backend == "loky" and self.workers > 1)


def check_choice(choice: EngineChoice, ask: bool = False) -> None:
    """Check the settings of an engine.

    Args:
        ask: whether to check that a cluster answers.

    Raises:
        ConfigError: a number out of range, an unknown backend, a package that is missing, no answer.
    """
    if choice.group is not None and choice.group < 1:
        raise ConfigError(f"hydra.launcher.group={choice.group}: expected an integer 1 or more, or null")
    try:
        check_engine(choice.backend, choice.n_jobs, choice.address, ask)
    except EngineError as error:
        raise ConfigError(f"hydra.launcher.{error}") from error


class Batch:
    """Jobs of one sweep.

    Args:
        runs: how many the whole command has.
        recording: receives the outcomes.
        retries: further tries of a job that failed.
        fail_fast: whether the first failure ends the batch.
        outside: files of modules from outside nnexp, in the sweep's copy of the source.
    """

    def __init__(
        self,
        jobs: Sequence[Trial],
        runs: int,
        engine: EngineChoice,
        spool: Spool,
        recording: Recording,
        retries: int = 0,
        fail_fast: bool = False,
        outside: Sequence[str] = (),
    ) -> None:
        self.jobs, self.runs, self.engine, self.spool, self.recording = jobs, runs, engine, spool, recording
        self.retries, self.fail_fast, self.outside = retries, fail_fast, tuple(outside)
        self.training = self.working = 0.0
        self.running = self.broken_groups = 0

    def run(self, on_end: Callable[[Ended], None]) -> None:
        """Train and record all jobs, and call ``on_end`` once for each.

        The store may still be opening while the first groups are trained. A failed job is tried again alone; an error
        affects its own job only.

        Raises:
            StoreError: the store cannot be opened.
            EngineError: the engine cannot be used.
        """
        positions = plan([job.config for job in self.jobs], self.engine.workers, self.engine.group)
        groups = [[self.jobs[at] for at in group] for group in positions]
        for attempt in range(self.retries + 1):
            again: list[Trial] = []
            last = attempt == self.retries
            for outcomes in self._outcomes(groups, last):
                good: list[tuple[Trial, Outcome | Exception]] = []
                for job, made in outcomes:
                    failed = isinstance(made, Exception) or (made is not None and made.status == "failed")
                    if failed and not last and not self.spool.stopped:
                        LOG.warning("job %d failed and is tried again", job.number)
                        again.append(job)
                    elif made is None:
                        on_end(Ended(job, None))
                    else:
                        good.append((job, made))
                    if failed and last and self.fail_fast:
                        self.spool.stop()
                for job, result in self.recording.take_all(good):
                    on_end(Ended(job, result))
            groups = [[job] for job in again]
            if not groups:
                return

    def _outcomes(
        self, groups: list[list[Trial]], last: bool
    ) -> Iterator[list[tuple[Trial, Outcome | Exception | None]]]:
        """Each group's jobs with their outcomes, an exception where a worker was lost, None where not started."""
        tasks = [
            Task(
                pickle.dumps(group),
                self.recording.tags,
                self.recording.files,
                self.runs,
                last,
                str(self.spool.folder),
                package_hash(),
                git_state(),
                self.outside,
                os.getpid(),
            )
            for group in groups
        ]
        done: set[int] = set()
        engine = self.engine
        self._see(groups, done)
        for at, result in run_tasks(
            train,
            tasks,
            backend=engine.backend,
            n_jobs=engine.n_jobs,
            address=engine.address,
            stop=lambda: self.spool.stopped,
        ):
            done.add(at)
            self._see(groups, done)
            if isinstance(result, Done):
                self.training += result.training
                self.working += result.seconds
                LOG.info("%d runs trained together: jobs %s", len(groups[at]), _numbers(groups[at]))
                if result.group_error:
                    self.broken_groups += 1
                    LOG.error(
                        "jobs %s failed together and were trained alone\n%s",
                        _numbers(groups[at]),
                        result.group_error.rstrip(),
                    )
                yield list(zip(groups[at], result.outcomes, strict=True))
            else:
                yield [(job, result) for job in groups[at]]
        yield [(job, None) for at, group in enumerate(groups) if at not in done for job in group]

    def _see(self, groups: list[list[Trial]], done: set[int]) -> None:
        # Engines start groups in order, so the first unfinished ones are running.
        going = [len(group) for at, group in enumerate(groups) if at not in done]
        self.running = sum(going[: self.engine.workers])


def _numbers(group: Sequence[Trial]) -> str:
    return ", ".join(str(job.number) for job in group)
