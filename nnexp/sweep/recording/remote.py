"""Recording in another process: a sweep's parent and its jobs' outcomes, here again if that process is lost."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nnexp.sweep.recording.process import Lost, RecordingProcess
from nnexp.sweep.recording.recording import LOOK_SECONDS, Recording, lost, unrecorded

if TYPE_CHECKING:
    from concurrent.futures import Future

    from nnexp.sweep.recording.spool import Spool
    from nnexp.sweep.trial import Trial
    from nnexp.tracking.mlflow_store import Store
    from nnexp.tracking.outcome import Outcome
    from nnexp.tracking.protocol import Shared
    from nnexp.tracking.recorder import RunResult

LOG = logging.getLogger(__name__)

AHEAD = 2
"""Outcomes under way to the process: it need not wait for the next one."""

STOP_SECONDS = 15.0
"""How long an answer may take in a sweep that was told to stop; what waits is in the journal."""

HURRY_SECONDS = 3.0
"""How long the process may take to end its runs where everything is to end at once."""


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

    def share(self, shared: Shared) -> None:
        """Make the views of the sweep."""
        self._call("share", shared)

    def log_files(self, contents: Mapping[str, bytes]) -> None:
        """Record artifacts by path."""
        self._call("log_files", contents)

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Set the last tags and end the run."""
        self._call("finish", status, tags)

    def _call(self, method: str, *arguments: Any, **settings: Any) -> None:
        try:
            self._process.call("on_parent", method, arguments, settings).result()
        except Lost:
            getattr(self._here().run(self.run_id), method)(*arguments, **settings)


class RemoteRecording:
    """A context in which another process records a sweep's jobs, in place of
    :class:`nnexp.sweep.recording.recording.Recording`.

    Args:
        jobs: by number.
        tags: of every run.
        spool: where workers leave rows.
        code: where the sweep's copy of the source is.
        runs: how many the whole command has.
        here: a recording in this process of what the other one left, once it is lost.
    """

    def __init__(
        self,
        process: RecordingProcess,
        jobs: dict[int, Trial],
        tags: dict[str, str],
        spool: Spool,
        code: Path,
        runs: int,
        here: Callable[[], Recording],
    ) -> None:
        self._process, self._spool, self._here = process, spool, here
        self._begin = (jobs, tags, spool.folder, code, runs)
        self.tags = tags
        self._local: Recording | None = None
        self._given_up = False
        self.seconds = 0.0
        self._moving = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="nnexp-remote", daemon=True)

    def __enter__(self) -> RemoteRecording:
        self._begun = self._process.call("begin", *self._begin)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._given_up:
            return
        if self._local is None:
            at_once = kind is not None and not issubclass(kind, Exception)
            try:
                self.seconds = self._process.call("end").result(HURRY_SECONDS if at_once else None)
                return
            except Lost:
                self._local = self._go_on_here()
            except BaseException as interruption:
                # It may not go on with what is taken away from it next.
                self._process.kill()
                if isinstance(interruption, TimeoutError):
                    return
                raise
        self._local.__exit__(kind, error, trace)
        self.seconds = self._local.seconds

    def take_all(
        self, made: Iterable[tuple[Trial, Outcome | Exception]]
    ) -> Iterator[tuple[Trial, RunResult]]:
        """Record jobs' outcomes; results in the same order.

        Raises:
            StoreError: the store cannot be opened at all.
        """
        rest = deque((job, lost(one) if isinstance(one, Exception) else one) for job, one in made)
        sent: deque[tuple[tuple[Trial, Outcome], Future[RunResult]]] = deque()
        while rest or sent:
            if self._given_up and not sent:
                job, one = rest.popleft()
                yield job, unrecorded(one, TimeoutError("the store did not answer"), self._spool.journal)
                continue
            if self._local is not None or self._begun.exception() is not None:
                yield from self._go_on_here().take_all([*(pair for pair, _ in sent), *rest])
                return
            while rest and len(sent) < AHEAD and not self._given_up:
                job, one = rest[0]
                sent.append((rest[0], self._process.call("take", job.number, one)))
                rest.popleft()
            (job, made_of), future = sent[0]
            try:
                result = self._answer(future)
            except Lost:
                if not self._given_up:
                    self._go_on_here()
                    continue
                result = unrecorded(made_of, TimeoutError("the store did not answer"), self._spool.journal)
            sent.popleft()
            yield job, result

    def _answer(self, future: Future[RunResult]) -> RunResult:
        """What the process answers, :class:`Lost` where it takes too long to end in order."""
        since = perf_counter()
        while not self._given_up:
            try:
                return future.result(0.5)
            except TimeoutError:
                if not self._spool.stopped:
                    since = perf_counter()
                elif perf_counter() - since > STOP_SECONDS:
                    self._given_up = True
                    self._process.kill()
        raise Lost

    def _watch(self) -> None:
        """Go on here as soon as the process is lost: the sweep's signs of life may not stop."""
        while not self._over.wait(LOOK_SECONDS):
            if self._process.lost.is_set() and not self._given_up:
                try:
                    self._go_on_here()
                except Exception:
                    # Training would be in vain; who records next is told why.
                    self._spool.stop()
                return

    def _go_on_here(self) -> Recording:
        with self._moving:
            if self._local is None:
                code = self._process.kill()
                LOG.warning("the process that recorded is gone (exit code %s); recording goes on here", code)
                local = self._here()
                local.__enter__()
                self._local = local
            return self._local
