"""The commands that are suggested, and its message on skipped runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nnexp.config.settings import kinds_of
from nnexp.tracking import locations

if TYPE_CHECKING:
    from nnexp.config.schema import Config
    from nnexp.tracking.pages import Pages

GOING_ON = ("sweep.resume=", "sweep.extend=")
"""Overrides that choose the sweep to continue."""


def compare(home: Pages, sweep_id: str, configs: Iterable[Config]) -> str:
    """The command that reports a sweep of a store; it may import the modules of the runs' parts."""
    where = [] if home.uri == locations.resolve(None) else ["--uri", locations.public(home.uri)]
    where += [] if home.experiment == "nnexp" else ["--experiment", home.experiment]
    modules = {kind.__module__.partition(".")[0] for config in configs for kind in kinds_of(config)}
    where += [word for name in sorted(modules - {"nnexp"}) for word in ("--trust", name)]
    return shlex.join(["python", "-m", "nnexp.report", sweep_id, *where])


def resume(flags: Sequence[str], overrides: Sequence[str], sweep_id: str) -> str:
    """The command that resumes a sweep."""
    given = [text for text in overrides if not text.lstrip("+").startswith(GOING_ON)]
    return shlex.join(["python", "-m", "nnexp.run", *flags, "-m", *given, f"sweep.resume={sweep_id}"])


def resume_run(flags: Sequence[str], overrides: Sequence[str], run_id: str) -> str:
    """The command that resumes a run outside sweeps."""
    given = [text for text in overrides if not text.lstrip("+").startswith("resume=")]
    return shlex.join(["python", "-m", "nnexp.run", *flags, *given, f"resume={run_id}"])


def sync(folder: Path) -> str:
    """The command that delivers a journal."""
    return shlex.join(["python", "-m", "nnexp.sync", str(folder)])


def skipped(sweep_id: str, runs: int, why: Mapping[str, int], extends: bool) -> str:
    """How many runs of a sweep are skipped, and how many are trained for which reasons."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in why.items())
    words = f"; to be trained: {sum(why.values())} ({reasons})" if extends else f"; run again: {reasons}"
    there = "1 run is" if runs == 1 else f"{runs} runs are"
    return f"sweep {sweep_id}: {there} recorded and skipped" + (words if reasons else "")
