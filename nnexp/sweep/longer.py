"""Longer budgets: runs that go on from the ends of runs that an earlier start of their sweep trained for less."""

from __future__ import annotations

import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from nnexp.config.schema import Config
from nnexp.sweep.identity import run_key, start_key
from nnexp.sweep.trial import Trial
from nnexp.training.checkpoint import read, write

STATE_FILE = "state.npz"
"""The file of a run that holds where it was when its budget was spent."""

START = "nnexp.start"
"""The tag of what such a run shares with runs of a longer budget."""


def end_of(
    config: Config, code: str, end: Mapping[str, Any] | None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files and tags that a run leaves for ones of a longer budget, if ``tracking.keep_state`` asks for them.

    Args:
        end: what :attr:`nnexp.training.run.Run.end` holds.
    """
    if not config.tracking.keep_state:
        return {}, {}
    key, file = start_key(config, code), io.BytesIO()
    if end is None or config.depends_on_length:
        return {}, {START: key.config}
    write({key: end}, file)
    return {STATE_FILE: file.getvalue()}, {START: key.config}


def go_on_longer(store: Any, runs: Sequence[Any], jobs: Sequence[Trial], folder: Path) -> list[str]:
    """Make the ends of runs (of MLflow) checkpoints of the jobs that differ from them in a longer budget alone.

    Args:
        folder: of checkpoints.

    Returns:
        What is to be said: which of these jobs cannot go on from there, and what could not be read.
    """
    by_start: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for run in runs:
        if run.info.status == "FINISHED" and (start := run.data.tags.get(START)):
            by_start[start, run.data.tags.get("nnexp.code_hash", "")].append(run)
    anew: Counter[str] = Counter()
    said = []
    for job in jobs:
        key, setting = start_key(job.config, job.code), job.config.depends_on_length
        ended = sorted(by_start.get((key.config, key.code), ()), key=_iterations, reverse=True)
        anew[setting] += bool(ended and setting)
        for run in [] if setting else ended:
            try:
                with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
                    state = read(store.file(run, STATE_FILE, Path(place))).get(key)
            except (OSError, ValueError) as error:
                said.append(f"run {run.info.run_id}: {STATE_FILE} cannot be used: {error}")
                continue
            if state is not None and _shorter(state, job.config):
                folder.mkdir(parents=True, exist_ok=True)
                with open(folder / f"{uuid4().hex}.npz", "wb") as file:
                    write({run_key(job.config, job.code): state}, file)
                break
    return said + [
        f"{count} run{'s begin' if count != 1 else ' begins'} anew: {setting} depends on the budget's length"
        for setting, count in anew.items()
        if count
    ]


def _iterations(run: Any) -> int:
    return int(run.data.tags.get("nnexp.iterations", 0))


def _shorter(state: Mapping[str, Any], config: Config) -> bool:
    """Whether a budget has room for what a state has spent."""
    each = getattr(config.optimizer, "evaluations", 1)
    evaluations = state["going"].get("evaluations", each * state["iteration"])
    spent = (state["iteration"], config.budget.iterations), (evaluations, config.budget.evaluations)
    return all(most is None or reached <= most for reached, most in spent)
