"""The terminal as a sweep's view: progress, lines, and the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from nnexp.cli.progress import RunProgress
from nnexp.cli.summary import print_summary
from nnexp.cli.sweep_progress import SweepProgress
from nnexp.sweep.view import Row


class TerminalView:
    """Implements :class:`nnexp.sweep.view.View` on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Print a line, as it is and unbroken."""
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def run(self, trained: Any, title: str) -> RunProgress:
        """Progress of one run."""
        return RunProgress(self._console, trained, title)

    def sweep(self, jobs: int) -> SweepProgress:
        """Progress of a sweep."""
        return SweepProgress(self._console, jobs)

    def summary(self, rows: Sequence[Row], ui_command: str, page: str) -> None:
        """The table, failures, and the way to MLflow's pages."""
        print_summary(self._console, rows, ui_command, page)
