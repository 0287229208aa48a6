"""Longer budgets: runs that continue from the final states of runs with shorter budgets in the same sweep."""

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
"""The file with a run's state at the end of its budget."""

START = "nnexp.start"
"""The tag that is equal for runs that differ only in the length of their budgets."""


def end_of(
    config: Config, code: str, end: Mapping[str, Any] | None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files and tags of a run for runs with longer budgets, if ``tracking.keep_state`` is set.

    Args:
        end: the run's :attr:`nnexp.training.run.Run.end`.
    """
    if not config.tracking.keep_state:
        return {}, {}
    key, file = start_key(config, code), io.BytesIO()
    if end is None or config.depends_on_length:
        return {}, {START: key.config}
    write({key: end}, file)
    return {STATE_FILE: file.getvalue()}, {START: key.config}


def continue_longer(store: Any, runs: Sequence[Any], jobs: Sequence[Trial], folder: Path) -> list[str]:
    """Write the final states of runs (of MLflow) as checkpoints for jobs that differ only in a longer budget.

    Args:
        folder: of checkpoints.

    Returns:
        Messages: which jobs cannot continue from them, and which files could not be read.
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
                said.append(f"run {run.info.run_id}: {STATE_FILE} cannot be read: {error}")
                continue
            if state is not None and _shorter(state, job.config):
                folder.mkdir(parents=True, exist_ok=True)
                part = folder / f"{uuid4().hex}.part"
                with open(part, "wb") as file:
                    write({run_key(job.config, job.code): state}, file)
                part.replace(part.with_suffix(".npz"))
                break
    return said + [
        f"{count} run{'s start' if count != 1 else ' starts'} from the beginning: {setting} depends on the "
        f"budget's length"
        for setting, count in anew.items()
        if count
    ]


def _iterations(run: Any) -> int:
    return int(run.data.tags.get("nnexp.iterations", 0))


def _shorter(state: Mapping[str, Any], config: Config) -> bool:
    """Whether a state is within a config's budget."""
    each = getattr(config.optimizer, "evaluations", 1)
    evaluations = state["going"].get("evaluations", each * state["iteration"])
    spent = (state["iteration"], config.budget.iterations), (evaluations, config.budget.evaluations)
    return all(most is None or reached <= most for reached, most in spent)
