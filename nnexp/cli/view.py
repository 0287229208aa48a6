"""The terminal as a sweep's view: progress, lines, and the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from nnexp.cli.progress import RunProgress
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.sweep.view import Row


class TerminalView:
    """Implements :class:`nnexp.sweep.view.View` on a console.

    Args:
        every: whether the table of single runs is printed also if there are many.
    """

    def __init__(self, console: Console, every: bool = False) -> None:
        self._console, self._every = console, every

    def say(self, line: str) -> None:
        """Print a line unchanged, without line breaks."""
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def run(self, trained: Any, title: str) -> RunProgress:
        """Progress of one run."""
        return RunProgress(self._console, trained, title)

    def sweep(self, jobs: int, begun: int = 0) -> SweepProgress:
        """Progress of a sweep."""
        return SweepProgress(self._console, jobs, begun)

    def load(self) -> None:
        """Import the statistics, which takes a second."""
        import nnexp.cli.ends
        import nnexp.cli.summary  # noqa: F401

    def summary(self, rows: Sequence[Row], ui_command: str, page: str, verdict: str = "") -> None:
        """Print tables, verdict, failures, and how to open MLflow's pages."""
        from nnexp.cli.summary import print_summary

        print_summary(self._console, rows, ui_command, page, self._every, verdict)
