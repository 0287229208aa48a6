"""Progress of a command's runs: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live as Drawn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nnexp.config.schema import AUTO
from nnexp.sweep.trial import Ended, direction, objective
from nnexp.sweep.view import Live

FEW = 12
"""The most jobs of a sweep that have a line each."""

QUIET_SECONDS = 10.0
"""Time between two lines of progress where there is no terminal, while jobs end."""

STILL_SECONDS = 30.0
"""The same while no job ends: then the lines show the progress of groups."""

MOST_LINES = 4
"""The most groups in training that are shown."""


class SweepProgress:
    """A context in which a command's jobs end one after another.

    Args:
        total: jobs of the command.
        begun: jobs of the command that an earlier start has trained.
    """

    def __init__(self, console: Console, total: int, begun: int = 0) -> None:
        self._console, self._total = console, total
        self.done = self._begun = begun
        self.failed = 0
        self.running: Callable[[], int] = int
        self.live: Callable[[], Sequence[Live]] = tuple
        self._best: dict[str, float] = {}
        self._measure, self._sign = "training loss", 1.0
        self._start = self._said = monotonic()
        self._drawn = (
            Drawn(console=console, transient=True, get_renderable=self._drawing, refresh_per_second=2)
            if console.is_terminal
            else None
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="nnexp-progress", daemon=True)

    def __enter__(self) -> SweepProgress:
        if self._drawn is not None:
            self._drawn.start()
        else:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()
        else:
            self._over.set()
            self._thread.join()

    def ended(self, one: Ended) -> None:
        """Show that a job ended."""
        if one.result is None:
            return
        self.done += 1
        self.failed += one.result.status == "failed"
        config = one.job.config
        value, method = objective(config, one.result), config.optimizer.name
        self._best[method] = min(value, self._best.get(method, math.inf))
        if config.sweep.measure != AUTO:
            self._measure, self._sign = config.sweep.measure, direction(config.sweep.measure, config.metrics)
        elif math.isfinite(one.result.measures.get("val_loss", math.nan)):
            self._measure = "validation loss"
        few = self._total <= FEW
        if few or one.result.status in ("failed", "killed", "diverged"):
            self._console.print(
                _line(self.done, self._total, one), highlight=False, markup=False, soft_wrap=True
            )
        if self._drawn is None and not few:
            last = self.done == self._total
            if last or monotonic() - self._said > QUIET_SECONDS:
                self._say()

    def _watch(self) -> None:
        """Print the progress of groups where no job ends for some time."""
        while not self._over.wait(1.0):
            if monotonic() - self._said > STILL_SECONDS:
                self._say(live=True)

    def _say(self, live: bool = False) -> None:
        self._said = monotonic()
        lines = [f"{self.done} of {self._total} done, {self._state()}"]
        if live:
            lines += [f"  {line}" for line in self._groups()]
        if best := self._bests():
            lines.append(f"  {best}")
        self._console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)

    def _drawing(self) -> RenderableType:
        head = Table.grid(padding=(0, 1), expand=False)
        width = max(10, self._console.width // 4)
        bar = ProgressBar(total=self._total, completed=self._trained(), width=width)
        head.add_row("runs", bar, f"{self.done}/{self._total}", Text(self._state(), no_wrap=True))
        lines = [*self._groups(), *filter(None, [self._bests()])]
        return Group(head, *(Text(f"  {line}", no_wrap=True, overflow="ellipsis") for line in lines))

    def _state(self) -> str:
        elapsed = monotonic() - self._start
        words = [f"{self.failed} failed", f"{min(self.running(), self._total - self.done)} running"]
        trained = self._trained() - self._begun
        # The first two runs of many are not enough for an estimate.
        if trained > min(2.0, 0.05 * self._total) and self.done < self._total:
            left = elapsed / trained * (self._total - self._begun - trained)
            words.append(f"about {_time(left)} left")
        else:
            words.append(_time(elapsed))
        return ", ".join(words)

    def _trained(self) -> float:
        """How many runs are trained, including parts of those in training."""
        parts = [one.iteration / one.of * (one.runs - one.done) for one in self.live() if one.of]
        return min(self.done + sum(parts), float(self._total))

    def _groups(self) -> list[str]:
        found = list(self.live())
        lines = [_group(one) for one in found[:MOST_LINES]]
        return lines if len(found) <= MOST_LINES else [*lines, f"and {len(found) - MOST_LINES} more groups"]

    def _bests(self) -> str:
        shown = sorted(((value, name) for name, value in self._best.items() if math.isfinite(value)))
        named = ", ".join(f"{name} {self._sign * value:.3g}" for value, name in shown[:6])
        rest = f", and {len(shown) - 6} more methods" if len(shown) > 6 else ""
        return f"best {self._measure} so far: {named}{rest}" if shown else ""


def _group(one: Live) -> str:
    what = f"{one.method}, {one.runs} runs together" if one.runs > 1 else one.method
    if one.done:
        what += f" ({one.done} done)"
    of = f" of {one.of:,}" if one.of else ""
    return f"{what}: iteration {one.iteration:,}{of}, loss {one.loss:.4f}"


def _line(number: int, total: int, one: Ended) -> str:
    result = one.result
    assert result is not None
    of = f"[{number}/{total}] " if total > 1 else ""
    head = f"{of}{one.job.name}: {result.status}"
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
