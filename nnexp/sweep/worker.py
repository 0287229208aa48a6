"""What a worker does: train a group of a sweep's runs, and hand back their outcomes."""

from __future__ import annotations

import traceback
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from nnexp.config.schema import Config
from nnexp.sweep.identity import code_hash
from nnexp.sweep.recording.spool import Spool, journal_entry
from nnexp.sweep.trial import Trial
from nnexp.tracking.environment import environment
from nnexp.tracking.outcome import Outcome, outcome, reason_of
from nnexp.tracking.protocol import milliseconds
from nnexp.training.group import Group
from nnexp.training.session import prepare
from nnexp.training.train import EVALUATIONS_PER_GRADIENT

CODE = code_hash()
"""Of the code that this process has loaded."""


class Task(NamedTuple):
    """Jobs to train together, and what they need to know of their sweep.

    ``tags`` are those of all its runs, ``runs`` is how many it has, ``spool`` the folder for rows, ``code`` the hash
    of its code, ``git`` the state of its source.
    """

    jobs: list[Trial]
    tags: dict[str, str]
    runs: int
    spool: str
    code: str
    git: dict[str, Any] | None


class Done(NamedTuple):
    """Outcomes of a task's jobs, None for one that was not begun, and where the time went.

    ``training`` is the clock of the runs, ``seconds`` the whole; ``group`` how many were trained together.
    """

    outcomes: list[Outcome | None]
    training: float
    seconds: float
    group: int


class Stopped(BaseException):
    """The sweep was told to stop."""


class OtherCode(RuntimeError):
    """The worker has loaded other code than the sweep has."""


def train(task: Task) -> Done:
    """Train a task's jobs to their ends, or until the sweep is told to stop.

    An error in a group of several is looked for by training each alone, so it costs only its own run.

    Raises:
        OtherCode: results would not be those of the sweep's code.
    """
    begun = perf_counter()
    if task.code != CODE:
        raise OtherCode(
            "the worker has other code of nnexp than the sweep; start it anew with the same version"
        )
    spool = Spool(Path(task.spool))
    outcomes: list[Outcome | None]
    try:
        outcomes = _together(task, spool)
    except Exception as error:
        if len(task.jobs) == 1:
            outcomes = [_failed(task.jobs[0].config, error)]
        else:
            outcomes = [train(task._replace(jobs=[job])).outcomes[0] for job in task.jobs]
    training = sum(one.seconds for one in outcomes if one is not None)
    outcomes = [
        None if made is None else spool.keep(journal_entry(job, task.tags, task.runs, made))
        for job, made in zip(task.jobs, outcomes, strict=True)
    ]
    return Done(outcomes, training, perf_counter() - begun, len(task.jobs))


def _together(task: Task, spool: Spool) -> list[Outcome | None]:
    if spool.stopped:
        return [None] * len(task.jobs)
    machine, started = environment() | {"git": task.git}, milliseconds()
    configs = [job.config for job in task.jobs]
    group = Group([prepare(config) for config in configs])
    error: BaseException | None = None
    trace = ""
    try:
        for parts in group.run(min(config.tracking.flush_seconds for config in configs)):
            spool.put(
                started,
                [(task.jobs[at].number, rows) for at, rows in parts if not at_end(group.sessions[at])],
            )
            if spool.stopped:
                error = Stopped("the sweep was stopped")
                break
    except Exception as caught:
        if len(configs) > 1:
            raise
        error, trace = caught, traceback.format_exc()
    ended = milliseconds()
    made: list[Outcome | None] = []
    for session, config in zip(group.sessions, configs, strict=True):
        if error is not None:
            session.stop()
        cut = None if at_end(session) and isinstance(error, Stopped) else error
        begun = session.iterations > 0 or not isinstance(cut, Stopped)
        made.append(
            outcome(session, config, machine, started, ended, task.runs, cut, trace) if begun else None
        )
    return made


def at_end(session: Any) -> bool:
    """Whether a session reached the end of its budget, or diverged."""
    budget, gradient = session.prepared.budget, session.prepared.method.needs_gradient
    evaluations = session.evaluations + (EVALUATIONS_PER_GRADIENT - 1 if gradient else 0)
    spent = (
        (session.iterations, budget.iterations),
        (evaluations, budget.evaluations),
        (session.seconds, budget.seconds),
    )
    return session.status == "diverged" or any(most is not None and now >= most for now, most in spent)


def _failed(config: Config, error: Exception) -> Outcome:
    """The outcome of a run of which nothing is left but its error."""
    from nnexp.tracking.environment import environment_tags
    from nnexp.tracking.plain import to_yaml
    from nnexp.training.session import join

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
