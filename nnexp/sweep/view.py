"""The interface by which a sweep shows its progress; the command line implements it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from nnexp.config.schema import Config
from nnexp.sweep.trial import Ended
from nnexp.tracking.recorder import RunResult


class Row(NamedTuple):
    """One job of a command: its settings, how it ended, and its measures."""

    job: int
    method: str
    seed: int
    overrides: str
    status: str
    measures: dict[str, float]
    iterations: int
    evaluations: int
    seconds: float
    run_id: str
    url: str
    reason: str
    log: str
    config: Config

    def values(self) -> dict[str, Any]:
        """All fields by column, without the config, and with a column for each measure."""
        row = self._asdict()
        del row["config"]
        at = list(row).index("measures")
        columns = list(row.items())
        return dict([*columns[:at], *self.measures.items(), *columns[at + 1 :]])


def row(
    number: int,
    method: str,
    seed: int,
    overrides: Sequence[str],
    result: RunResult,
    config: Config,
    log: str = "",
) -> Row:
    """A job's row of the table, without overrides of the sweep as a whole."""
    numbers = {name: getattr(result, name) for name in Row._fields if hasattr(result, name)}
    own = " ".join(text for text in overrides if not text.startswith("sweep."))
    return Row(number, method, seed, own, log=log, config=config, **numbers)


class Live(NamedTuple):
    """The progress of a group of runs in training.

    ``done`` of its ``runs`` have ended; ``iteration`` and ``loss``, the median of the training loss, are from the
    newest rows of the others; ``of`` is their budget, None if it is not in iterations.
    """

    method: str
    runs: int
    done: int
    iteration: int
    of: int | None
    loss: float


class RunView(Protocol):
    """Progress of one run."""

    def rows(self, rows: Any) -> None:
        """Receive measured rows."""


class SweepView(Protocol):
    """Progress of a sweep; ``running`` returns how many jobs are in training, ``live`` their progress."""

    running: Callable[[], int]
    live: Callable[[], Sequence[Live]]

    def ended(self, one: Ended) -> None:
        """Receive a job that ended."""


class View(Protocol):
    """An output for a command's progress and results."""

    def say(self, line: str) -> None:
        """Show a line."""

    def run(self, trained: Any, title: str) -> AbstractContextManager[RunView]:
        """A context in which one :class:`nnexp.training.run.Run` is trained."""

    def sweep(self, jobs: int, begun: int = 0) -> AbstractContextManager[SweepView]:
        """A context in which jobs are trained; ``begun`` of the command's ``jobs`` have ended before."""

    def load(self) -> None:
        """Import what the summary needs, while workers train and before the source may change."""

    def summary(self, rows: Sequence[Row], ui_command: str, page: str, verdict: str = "") -> None:
        """Show all rows, the verdict, failures, and how to open MLflow's pages."""
