"""Recording in another process: a sweep's home and its jobs' outcomes, here again if that process is lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nnexp.sweep.recording_process import Lost, RecordingProcess
from nnexp.tracking.pages import Pages
from nnexp.tracking.parent import finish_parent

if TYPE_CHECKING:
    import pandas as pd

    from nnexp.sweep.recording import Recording
    from nnexp.sweep.trial import Trial
    from nnexp.tracking.mlflow_store import Store
    from nnexp.tracking.outcome import Outcome
    from nnexp.tracking.recorder import RunResult

LOG = logging.getLogger(__name__)

AHEAD = 2
"""Outcomes under way to the process: it need not wait for the next one."""


HURRY_SECONDS = 3.0
"""How long the process may take to end its runs where everything is to end at once."""


class RemoteStore(Pages):
    """A sweep's store, which another process has opened."""

    def finish_parent(self, run: RemoteParent, table: pd.DataFrame, status: str) -> None:
        """Record the children's table with a summary and end the parent run."""
        finish_parent(run, table, status)


class RemoteParent:
    """The parent run of a sweep whose jobs another process records.

    Args:
        here: opens the store in this process, once that one is lost.
    """

    def __init__(self, process: RecordingProcess, run_id: str, here: Callable[[], Store]) -> None:
        self.run_id, self._process, self._here = run_id, process, here

    def record(self, *, numbers: Mapping[str, float]) -> None:
        """Record single numbers."""
        self._call("record", numbers=numbers)

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""
        self._call("log_artifacts", folder.absolute())

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Set the last tags and end the run."""
        self._call("finish", status, tags)

    def _call(self, method: str, *arguments: Any, **settings: Any) -> None:
        try:
            self._process.call("on_parent", method, arguments, settings).result()
        except Lost:
            getattr(self._here().run(self.run_id), method)(*arguments, **settings)


class RemoteRecording:
    """A context in which another process records a sweep's jobs, as :class:`nnexp.sweep.recording.Recording` does.

    Args:
        jobs: by number.
        tags: of every run.
        folder: of the spool.
        code: where the sweep's copy of the source is.
        runs: how many the whole command has.
        here: a recording in this process of what the other one left, once it is lost.
    """

    def __init__(
        self,
        process: RecordingProcess,
        jobs: dict[int, Trial],
        tags: dict[str, str],
        folder: Path,
        code: Path,
        runs: int,
        here: Callable[[], Recording],
    ) -> None:
        self._process, self._here = process, here
        self._begin = (jobs, tags, folder, code, runs)
        self._local: Recording | None = None
        self.seconds = 0.0

    def __enter__(self) -> RemoteRecording:
        self._begun = self._process.call("begin", *self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._local is None:
            at_once = kind is not None and not issubclass(kind, Exception)
            try:
                self.seconds = self._process.call("end").result(HURRY_SECONDS if at_once else None)
                return
            except Lost:
                self._go_on_here()
            except BaseException as interruption:
                # It may not go on with what is taken away from it next.
                self._process.kill()
                if isinstance(interruption, TimeoutError):
                    return
                raise
        assert self._local is not None
        self._local.__exit__(kind, error, trace)
        self.seconds = self._local.seconds

    def take_all(
        self, made: Iterable[tuple[Trial, Outcome | Exception]]
    ) -> Iterator[tuple[Trial, RunResult]]:
        """Record jobs' outcomes; results in the same order.

        Raises:
            StoreError: the store cannot be opened at all.
        """
        rest, sent = deque(made), deque[tuple[Any, Any]]()
        if self._local is None and self._begun.exception() is not None:
            self._go_on_here()
        while self._local is None and (rest or sent):
            try:
                while rest and len(sent) < AHEAD:
                    job, one = rest[0]
                    future = self._process.call("take", job.number, one)
                    sent.append((rest.popleft(), future))
                (job, _), future = sent[0]
                result = future.result()
            except Lost:
                self._go_on_here()
            else:
                sent.popleft()
                yield job, result
        if self._local is not None:
            yield from self._local.take_all([*(pair for pair, _ in sent), *rest])

    def _go_on_here(self) -> None:
        LOG.warning("the process that recorded was lost; recording goes on in the sweep's own")
        local = self._here()
        local.__enter__()
        self._local = local
