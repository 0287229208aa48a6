"""Progress of one run in training: a bar on a terminal, a line from time to time elsewhere."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 10.0
"""Time between two lines of progress where there is no terminal."""


class _Bar(Progress):
    trained: Any = None
    loss: float = float("nan")

    def get_renderable(self) -> RenderableType:
        """The bar, updated by the thread that draws it and not by the training."""
        for task in self.tasks:
            if self.trained is not None:
                task.completed = self.trained.iterations
                task.fields["loss"] = f"loss {self.loss:.4f}" if self.loss == self.loss else ""
        return super().get_renderable()


class RunProgress:
    """A context in which one run is trained; :meth:`rows` receives its measured rows."""

    def __init__(self, console: Console, trained: Any, title: str) -> None:
        self._console, self._title = console, title
        self._iterations = trained.prepared.settings.budget.iterations
        self._said = monotonic()
        self._bar: _Bar | None = None
        if console.is_terminal:
            columns = [
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[loss]}"), TimeRemainingColumn(),
            ]  # fmt: skip
            self._bar = _Bar(*columns, console=console, transient=True)
            self._bar.trained = trained
            self._bar.add_task(title, total=self._iterations, loss="")

    def __enter__(self) -> RunProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def rows(self, rows: Any) -> None:
        """Show the last measured row."""
        if not len(rows.loss):
            return
        if self._bar is not None:
            self._bar.loss = float(rows.loss[-1])
        elif monotonic() - self._said > QUIET_SECONDS:
            self._said = monotonic()
            of = self._iterations
            self._console.print(
                f"{self._title}: iteration {rows.iteration[-1]:,}{f' of {of:,}' if of else ''}, "
                f"loss {rows.loss[-1]:.4f}",
                highlight=False,
            )
