"""A worker's task: train a group of a sweep's runs and return their outcomes."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
import traceback
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from nnexp.config.schema import Config
from nnexp.data.mapped import share_in
from nnexp.sweep.identity import package_hash, run_key
from nnexp.sweep.longer import end_of
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.source import import_from
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Live
from nnexp.tracking.claim import CONTINUED
from nnexp.tracking.environment import environment
from nnexp.tracking.outcome import Outcome, files_so_far, outcome, reason_of
from nnexp.tracking.protocol import milliseconds
from nnexp.training.checkpoint import Checkpoint, find, go_on
from nnexp.training.group import Group
from nnexp.training.prepare import prepare_group
from nnexp.training.record import History

LOG = logging.getLogger(__name__)


class Task(NamedTuple):
    """Jobs to train together, pickled, and what they need of their command.

    ``tags`` and ``files`` are those that all its runs are recorded with, ``runs`` is their number, ``last`` says that a
    job that fails is not tried again, ``spool`` is the folder beside the journal, ``code`` the hash of nnexp's code,
    ``git`` the state of its source, ``outside`` the files of other modules in the copy of the source, ``process`` the
    command's own.
    """

    jobs: bytes
    tags: dict[str, str]
    files: dict[str, bytes]
    runs: int
    last: bool
    spool: str
    code: str
    git: dict[str, Any] | None
    outside: tuple[str, ...]
    process: int


class Done(NamedTuple):
    """Outcomes of a task's jobs, None for one that was not started, and how the time was spent.

    ``training`` is the time of the runs, ``seconds`` the total; ``group`` the number of jobs in the task;
    ``group_error`` the traceback of an error for which they were then trained one at a time, else empty.
    """

    outcomes: list[Outcome | None]
    training: float
    seconds: float
    group: int
    group_error: str


class Stopped(BaseException):
    """The command is being stopped."""


class OtherCode(RuntimeError):
    """The worker has imported other code than the sweep."""


def train(task: Task) -> Done:
    """Train a task's jobs to their ends, or until the sweep is stopped.

    After an error in a group of several, each run is trained alone, so that only the faulty run fails.

    Raises:
        OtherCode: the worker's code differs from the sweep's.
    """
    begun = perf_counter()
    if task.code != package_hash():
        raise OtherCode(
            "the worker runs other code of nnexp than the sweep; restart it with the same version"
        )
    spool = Spool(Path(task.spool))
    if task.process != os.getpid():
        import_from(str(spool.code), task.outside)
        if spool.folder.is_dir():
            share_in(spool.folder / "data")
    jobs: list[Trial] = pickle.loads(task.jobs)
    written: list[Checkpoint] = []
    there = {job.number: one for job in jobs if (one := spool.ended(job, task.tags)) is not None}
    rest = [job for job in jobs if job.number not in there]
    made_now, group_error = _outcomes(task, rest, spool, written) if rest else ([], "")
    there |= {job.number: one for job, one in zip(rest, made_now, strict=True) if one is not None}
    outcomes = [there.get(job.number) for job in jobs]
    training = sum(one.seconds for one in outcomes if one is not None)
    outcomes = [
        made
        if made is None or (made.status == "failed" and not task.last)
        else spool.keep(journal_entry(job, task.tags, task.runs, made))
        for job, made in zip(jobs, outcomes, strict=True)
    ]
    if all(one is not None and one.status != "killed" for one in outcomes):
        for checkpoint in written:
            checkpoint.remove()
    return Done(outcomes, training, perf_counter() - begun, len(jobs), group_error)


def _outcomes(
    task: Task, jobs: list[Trial], spool: Spool, written: list[Checkpoint]
) -> tuple[list[Outcome | None], str]:
    """The jobs' outcomes, and the traceback of an error after which each was trained alone."""
    try:
        return _together(task, jobs, spool, written), ""
    except Exception as error:
        if len(jobs) == 1:
            return [_failed(jobs[0].config, error)], ""
        trace = traceback.format_exc()
    return [_outcomes(task, [job], spool, written)[0][0] for job in jobs], trace


def _together(task: Task, jobs: list[Trial], spool: Spool, written: list[Checkpoint]) -> list[Outcome | None]:
    if spool.stopped:
        return [None] * len(jobs)
    machine, started = environment() | {"git": task.git}, milliseconds()
    configs = [job.config for job in jobs]
    keys = [run_key(job.config, job.code) for job in jobs]
    # An earlier start of the sweep or a killed worker may have left some.
    states, damaged = find(spool.checkpoints)
    for line in damaged:
        LOG.warning("%s", line)
    saved = [states.get(key) for key in keys]
    group = go_on(
        lambda: prepare_group((one, one.tracking.log_every, one.tracking.snapshots) for one in configs),
        saved,
        keep_ends=any(one.tracking.keep_state for one in configs),
    )
    begun_at = [run.iterations for run in group.runs]
    seconds = min(one.tracking.checkpoint_seconds or inf for one in configs)
    # On another machine the folder would be of no use.
    wanted = seconds < inf and spool.folder.is_dir()
    checkpoint = Checkpoint(spool.checkpoints, group, keys, seconds if wanted else None)
    written.append(checkpoint)

    def keep_so_far() -> None:
        for run, job in zip(group.runs, jobs, strict=True):
            if run.iterations > 0:
                spool.keep_so_far(job, files_so_far(run, job.config, machine) | task.files)

    error: BaseException | None = None
    trace = ""
    try:
        for parts in group.train(min(config.tracking.flush_seconds for config in configs)):
            if parts:
                spool.tell(jobs[0].number, _live(group, configs[0], [rows for _, rows in parts]))
            for at, rows in parts:
                if not group.runs[at].ended:
                    spool.put(jobs[at], task.tags, task.runs, started, rows)
            checkpoint.look(keep_so_far)
            if spool.stopped:
                error = Stopped("training was stopped")
                checkpoint.write()
                break
    except Exception as caught:
        if len(configs) > 1:
            raise
        error, trace = caught, traceback.format_exc()
    finally:
        spool.over(jobs[0].number)
    ended = milliseconds()
    # Runs of one group share their time: statistics of seconds must know this.
    shared = {"nnexp.group": secrets.token_hex(6)} if len(configs) > 1 else {}
    made: list[Outcome | None] = []
    for run, job, first in zip(group.runs, jobs, begun_at, strict=True):
        if error is not None:
            run.stop()
        cut = None if run.ended and isinstance(error, Stopped) else error
        begun = run.iterations > 0 or not isinstance(cut, Stopped)
        if not begun:
            made.append(None)
            continue
        one = outcome(run, job.config, machine, started, ended, task.runs, cut, trace)
        kept, start = end_of(job.config, job.code, run.end)
        continued = {CONTINUED: str(first)} if first else {}
        made.append(
            one._replace(tags=one.tags | shared | continued | start, files=one.files | kept | task.files)
        )
    return made


def _live(group: Group, config: Config, new: list[History]) -> Live:
    """A group's progress, from its new rows."""
    done = sum(run.ended for run in group.runs)
    iteration, loss = (
        max(int(rows.iteration[-1]) for rows in new),
        median(float(rows.loss[-1]) for rows in new),
    )
    return Live(config.optimizer.name, len(group.runs), done, iteration, config.budget.iterations, loss)


def _failed(config: Config, error: Exception) -> Outcome:
    """The outcome of a run that left nothing but its error."""
    from nnexp.tracking.environment import environment_tags
    from nnexp.tracking.plain import to_yaml
    from nnexp.training.record import join

    now = milliseconds()
    trace = "".join(traceback.format_exception(error))
    nothing: dict[str, Any] = {
        "tags": environment_tags(environment() | {"git": None}),
        "numbers": {},
        "images": [],
        "model": {},
    }
    return Outcome(
        status="failed", reason=reason_of(error), trace=trace, started=now, ended=now, rows=join([]),
        iterations=0, evaluations=0, seconds=0.0, files={"config.yaml": to_yaml(config).encode()},
        example=None, dataset=None, **nothing,
    )  # fmt: skip
