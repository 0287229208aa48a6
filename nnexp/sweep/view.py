"""What a sweep shows while it works: the interface that the command line implements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from nnexp.config.schema import Config
from nnexp.sweep.trial import Ended


class Row(NamedTuple):
    """One job of a command: what it was, how it ended, and what it reached, by measure."""

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
        """All by column, but for the config, each measure one of its own."""
        row = self._asdict()
        del row["config"]
        at = list(row).index("measures")
        columns = list(row.items())
        return dict([*columns[:at], *self.measures.items(), *columns[at + 1 :]])


class Live(NamedTuple):
    """How far a group of runs is that is being trained.

    ``done`` of its ``runs`` have ended; ``iteration`` and ``loss``, the median of training, are those of the others'
    newest rows; ``of`` is their budget, None without one in iterations.
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
        """Take what has been measured."""


class SweepView(Protocol):
    """Progress of a sweep; ``running`` gives how many jobs are being trained, ``live`` how far they are."""

    running: Callable[[], int]
    live: Callable[[], Sequence[Live]]

    def ended(self, one: Ended) -> None:
        """Take a job that ended."""


class View(Protocol):
    """Where a command's progress and results are shown."""

    def say(self, line: str) -> None:
        """Show a line."""

    def run(self, trained: Any, title: str) -> AbstractContextManager[RunView]:
        """A context in which one :class:`nnexp.training.run.Run` is trained."""

    def sweep(self, jobs: int, begun: int = 0) -> AbstractContextManager[SweepView]:
        """A context in which jobs end one after another; of the command's ``jobs`` some have ended before."""

    def load(self) -> None:
        """Load what the summary needs, while there is time and before the source may change."""

    def summary(self, rows: Sequence[Row], ui_command: str, page: str, verdict: str = "") -> None:
        """Show all rows, which method is better, what failed, and the way to MLflow's pages."""
