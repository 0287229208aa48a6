"""A run: its record, and the progress of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Protocol

import numpy as np

from nnexp.optim.draws import source_state
from nnexp.training.prepare import Prepared
from nnexp.training.record import History, Record
from nnexp.training.rows import Progress, Rows

Array = np.ndarray[Any, Any]


class Computation(Protocol):
    """What trains one or several runs, each at a position; for example :class:`nnexp.training.descent.Descent`."""

    def advance(self) -> list[tuple[int, Rows]] | None:
        """Train until rows are due, and return them by position; an empty list as a heartbeat, None at the end."""

    def rows(self) -> list[tuple[int, Rows]]:
        """Rows that were not delivered because of an interruption, possibly with those delivered just before it."""

    def progress(self, run: int) -> Progress:
        """The progress of a run."""

    def has_diverged(self, run: int) -> bool:
        """Whether a run ended because a number was not finite."""

    def state(self, run: int) -> dict[str, Any] | None:
        """The state of a run between two calls of :meth:`advance`, from which it can continue; None if it has ended."""

    def leave(self, run: int) -> None:
        """End a run; to be called between two calls of :meth:`advance`."""

    def improvements(self, run: int) -> list[tuple[int, float]]:
        """Candidates, counted from 0, that became the answer, each with its loss."""


class Over:
    """The computation of one run that had ended before it was saved: nothing is left to do."""

    def __init__(self, progress: Progress, diverged: bool, improvements: Sequence[tuple[int, float]]) -> None:
        self._progress, self._diverged, self._improvements = progress, diverged, list(improvements)

    def advance(self) -> None:
        """Do nothing: the run has ended."""

    def rows(self) -> list[tuple[int, Rows]]:
        """No rows."""
        return []

    def progress(self, run: int) -> Progress:
        """The progress at the run's end."""
        return self._progress

    def has_diverged(self, run: int) -> bool:
        """Whether it ended because a number was not finite."""
        return self._diverged

    def state(self, run: int) -> None:
        """None: the run has ended."""

    def leave(self, run: int) -> None:
        """Do nothing: the run has ended."""

    def improvements(self, run: int) -> list[tuple[int, float]]:
        """Candidates that became the answer, each with its loss."""
        return self._improvements


class Run(Record):
    """One run of a :class:`nnexp.training.group.Group`; it can be read during training, and after an interruption.

    Args:
        collect: delivers rows that were not delivered because of an interruption.

    Attributes:
        end: the :meth:`saved` state at the budget's end, if it was asked for; a longer budget continues from it.
    """

    def __init__(
        self, prepared: Prepared, computation: Computation, position: int, collect: Callable[[], None]
    ) -> None:
        super().__init__(prepared)
        self._computation, self._position, self._collect = computation, position, collect
        self.end: dict[str, Any] | None = None

    def saved(self) -> dict[str, Any] | None:
        """The state of the run as plain values and arrays, from which it can continue; None before its first row.

        To be called between two blocks of training; the state is for a new :class:`nnexp.training.group.Group`.

        Raises:
            TypeError: the method's state has a value of a type that cannot be saved.
        """
        if self.last_iteration < 0:
            return None
        prepared, over = self.prepared, None
        going = self._computation.state(self._position)
        if going is None:
            pairs = [list(pair) for pair in self._computation.improvements(self._position)]
            progress = self._computation.progress(self._position)
            over = [list(progress), self._computation.has_diverged(self._position), pairs]
        return {
            "iteration": self.iterations,
            "record": self.state(),
            "going": going,
            "over": over,
            "chance": {name: source_state(source) for name, source in prepared.source.items()},
        }

    def keep_end(self) -> None:
        """Keep the state in :attr:`end` if the run ended by its spent budget; to be called between two blocks."""
        if self.end is None and self._stop is None and self.ended:
            state = self.saved()
            self.end = state if state is not None and state["going"] is not None else None

    def as_interrupted(self) -> Run:
        """A copy as an interruption now would leave the run, with a row for the present progress; the run continues."""
        other = copy(self)
        other._pending, other._stopping = list(self._pending), copy(self._stopping)
        other.stopped(self._progress)
        return other

    def stop(self) -> History:
        """Rows that were not returned yet, and one for the present progress; for use after an interruption."""
        self._collect()
        return self.stopped(self._progress)

    @property
    def _progress(self) -> Progress:
        return self._stop or self._computation.progress(self._position)

    def leave_if_stopped(self) -> None:
        """End the training of this run if it has met its target or patience; others continue."""
        if self.stops_early:
            self.look()
            if self._stop is not None:
                self._computation.leave(self._position)

    @property
    def final_theta(self) -> Array:
        """The answer ``(P,)`` at the present progress."""
        return self._progress.theta

    @property
    def improvements(self) -> list[tuple[int, float]]:
        """A gradient-free run's improvements: candidate, counted from 0, and its loss."""
        pairs = self._computation.improvements(self._position)
        return pairs if self._stop is None else [pair for pair in pairs if pair[0] < self._stop.iteration]

    @property
    def diverged(self) -> bool:
        """Whether training ended early, because a loss or a weight was not finite."""
        return self._stop is None and self._computation.has_diverged(self._position)

    @property
    def status(self) -> str:
        """``diverged`` if training diverged or the answer so far has no finite loss, else ``finished``."""
        return "diverged" if self.diverged or self.overflowed else "finished"

    @property
    def ended(self) -> bool:
        """Whether the run reached the end of its budget, or diverged."""
        now, budget = self._progress, self.prepared.settings.budget
        # A rest too small for one more update is the end, too.
        evaluations = now.evaluations + getattr(self.prepared.method, "evaluations", 1) - 1
        spent = (
            (now.iteration, budget.iterations),
            (evaluations, budget.evaluations),
            (now.seconds, budget.seconds),
        )
        return (
            self._stop is not None
            or self.diverged
            or any(most is not None and reached >= most for reached, most in spent)
        )

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return self._progress.iteration

    @property
    def evaluations(self) -> int:
        """Evaluations spent."""
        return self._progress.evaluations

    @property
    def seconds(self) -> float:
        """Seconds of training, in a group the run's share, without measuring and the caller's work."""
        return self._progress.seconds
