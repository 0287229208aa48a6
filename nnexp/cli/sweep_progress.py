"""Progress of a sweep that is trained in groups: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import math
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nnexp.sweep.trial import Ended

FEW = 24
"""Sweeps of no more jobs have a line for each."""

QUIET_SECONDS = 5.0
"""Time between lines about the whole of a larger sweep where there is no terminal."""


class SweepProgress:
    """A context in which a sweep's jobs end one after another.

    Args:
        total: jobs to come.
        begun: jobs of the command that need not be run.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total = console, total
        self.done = self.failed = self.running = 0
        self._start = self._said = monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = [
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"), TimeElapsedColumn(),
            ]  # fmt: skip
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("runs", total=total, state="")

    def __enter__(self) -> SweepProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def ended(self, one: Ended) -> None:
        """Show that a job ended."""
        if one.result is None:
            return
        self.done += 1
        self.failed += one.result.status == "failed"
        if self._total <= FEW or one.result.status in ("failed", "killed", "diverged"):
            self._console.print(_line(self.done, self._total, one), highlight=False, markup=False)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, state=self._state())
        elif self._total > FEW and (monotonic() - self._said > QUIET_SECONDS or self.done == self._total):
            self._said = monotonic()
            self._console.print(f"{self.done} of {self._total} runs done, {self._state()}", highlight=False)

    def _state(self) -> str:
        elapsed = monotonic() - self._start
        left = elapsed / self.done * (self._total - self.done)
        words = [f"{self.failed} failed", f"{min(self.running, self._total - self.done)} running"]
        return ", ".join([*words, f"{_time(elapsed)} so far, about {_time(left)} left"])


def _line(number: int, total: int, one: Ended) -> str:
    result = one.result
    assert result is not None
    head = f"[{number}/{total}] {one.job.name}: {result.status}"
    if result.status == "failed":
        return f"{head}: {result.reason}"
    accuracy = "" if math.isnan(result.accuracy) else f", accuracy {result.accuracy:.3f}"
    return f"{head}, loss {result.loss:.4f}{accuracy} in {result.seconds:.2f} s"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
