"""What to type next: the commands that a sweep ends with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from nnexp.tracking import locations
from nnexp.tracking.pages import Pages


def compare_command(sweep: str, home: Pages) -> str:
    """The command that writes the report of a sweep in a store."""
    uri = [] if home.uri == locations.resolve(None) else ["--uri", locations.public(home.uri)]
    experiment = [] if home.experiment == "nnexp" else ["--experiment", home.experiment]
    return shlex.join(["python", "-m", "nnexp.report", sweep, *uri, *experiment])


def resume_command(sweep: str, flags: Sequence[str], overrides: Sequence[str]) -> str:
    """The command that goes on with a sweep, as it was started.

    >>> resume_command("s1", [], ["optimizer=sgd,adam", "sweep.resume=true"])
    'python -m nnexp.run -m optimizer=sgd,adam sweep.resume=s1'
    """
    given = [override for override in overrides if not override.lstrip("+").startswith("sweep.resume=")]
    return shlex.join(["python", "-m", "nnexp.run", *flags, "-m", *given, f"sweep.resume={sweep}"])
