"""Hydra's launcher that trains the jobs of a sweep in groups: ``hydra/launcher=batched``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from nnexp.config.schema import from_mapping
from nnexp.sweep.batch import EngineChoice, check_choice
from nnexp.sweep.compose.composer import Composer, Job
from nnexp.sweep.identity import code_hash
from nnexp.sweep.log_file import LogFile
from nnexp.sweep.trial import Trial, objective
from nnexp.tracking.locations import refuse_password
from nnexp.tracking.outcome import FEW_RUNS

if TYPE_CHECKING:
    from nnexp.sweep.supervisor import SweepWork


@dataclass
class BatchedLauncherConf:
    """Settings of the launcher, ``hydra.launcher.*``."""

    _target_: str = "nnexp.sweep.launcher.BatchedLauncher"
    n_jobs: int = -1  # groups trained at once; -1: a group for each core
    backend: str = "loky"  # loky, threading, sequential, dask or ray
    address: str | None = None  # of a Dask scheduler or a Ray cluster
    group: int | None = None  # most runs of a group; null: as many as suit cache and workers


class BatchedLauncher(Launcher):
    """Composes all jobs, trains those of the same shapes together, and returns a result to Hydra for each.

    Every job has its own output folder, log, overrides and run.
    """

    work: ClassVar[SweepWork | None] = None
    """Trains and records the jobs; set by :func:`nnexp.sweep.plugins.register`."""

    def __init__(self, n_jobs: int, backend: str, address: str | None, group: int | None) -> None:
        super().__init__()
        self.choice = EngineChoice(backend, n_jobs, address, group)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Store Hydra's arguments, as for every launcher."""
        self.context, self.task, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run all jobs.

        Raises:
            HydraException, ConfigError: an invalid config of a job, or an engine that cannot be used; no job has
            started.
        """
        assert self.work is not None
        start = perf_counter()
        setup_globals()
        # Not in the constructor, because Hydra wraps its exceptions.
        check_choice(self.choice, ask=True)
        place = Path(str(self.config.hydra.sweep.dir))
        jobs = Composer(self.context.config_loader, self.config).jobs(job_overrides, initial_job_idx)
        name = str(self.config.hydra.job.name)
        trials = [trial(job, name, self.work.checked.get(tuple(job.overrides))) for job in jobs]
        _write(place, jobs)
        callbacks = self.context.callbacks if self.config.hydra.callbacks else None
        if callbacks is not None:
            for job in jobs:
                callbacks.on_job_start(config=job.config, task_function=self.task)
        with _logged(place / "sweep.log"):
            results = self.work.batch(trials, self.choice, place, perf_counter() - start)
        values = [objective(trial.config, results.get(trial.number)) for trial in trials]
        returns = [Returned(job, name, value) for job, value in zip(jobs, values, strict=True)]
        if callbacks is not None:
            for job, returned in zip(jobs, returns, strict=True):
                callbacks.on_job_end(config=job.config, job_return=returned)
        return returns


class Returned(JobReturn):
    """A job's return, whose configs are made when they are read.

    Its value is the run's :func:`nnexp.sweep.trial.objective`, which an optimizing sweeper minimises.
    """

    def __init__(self, job: Job, name: str, value: float) -> None:
        self._job = job
        super().__init__(
            overrides=list(job.overrides),
            working_dir=str(Path.cwd()),
            task_name=name,
            status=JobStatus.COMPLETED,
        )
        self.return_value = value

    def __getattribute__(self, name: str) -> Any:
        if name == "cfg":
            return self._job.task_config()
        if name == "hydra_cfg":
            return self._job.hydra_config()
        return super().__getattribute__(name)


def _write(place: Path, jobs: Sequence[Job]) -> None:
    """Write Hydra's files of each job; for many jobs one file with the overrides of all."""
    if len(jobs) <= FEW_RUNS:
        for job in jobs:
            job.write()
        return
    place.mkdir(parents=True, exist_ok=True)
    listed = [f"{job.number}: {json.dumps(list(job.overrides), ensure_ascii=False)}\n" for job in jobs]
    with open(place / "jobs.yaml", "a", encoding="utf-8") as file:
        file.writelines(listed)


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """A context in which log records go to a file, which is created at the first record."""
    handler = LogFile(file, delay=True)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def trial(job: Job, name: str, before: Job | None) -> Trial:
    """What is trained; of a job that was checked ``before``, as the command began, with the config from there."""
    if job.error is not None:
        raise job.error
    known = before.checked if before is not None and before.task == job.task else None
    config = known or from_mapping(job.task)
    refuse_password(config.tracking.uri)
    return Trial(job.number, config, list(job.overrides), job.output_dir / f"{name}.log", code_hash(config))
