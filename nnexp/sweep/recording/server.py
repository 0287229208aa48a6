"""What the process that records does: see :class:`nnexp.sweep.recording.process.RecordingProcess`."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from nnexp.process import leave
from nnexp.tracking.claim import CLAIM, Claim
from nnexp.tracking.locations import remember

if TYPE_CHECKING:
    from nnexp.sweep.recording.recording import Recording
    from nnexp.sweep.trial import Trial
    from nnexp.tracking.journal import Beginning
    from nnexp.tracking.mlflow_store import Store
    from nnexp.tracking.outcome import Outcome
    from nnexp.tracking.recorder import RunResult

LOG = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A sweep's home: the store's URI, the experiment's id, and the parent run's."""

    uri: str
    experiment_id: str
    parent: str


class Server:
    """A sweep's store, its parent run, and the recording of its jobs."""

    def __init__(self) -> None:
        self._stores: dict[tuple[str | None, str], Store | Exception] = {}
        self._home: Store | None = None
        self._claim: Claim | None = None
        self._recording: Recording | None = None
        self._context = ExitStack()
        self._opening = threading.Lock()

    def remember(self, credentials: Mapping[str, str]) -> None:
        """Take the passwords of stores, which go from memory to memory."""
        remember(credentials)

    def open_sweep(self, uri: str | None, experiment: str, beginning: Beginning) -> Opened:
        """Open the store and begin the parent run.

        Raises:
            StoreError: the store cannot be opened.
        """
        self._home = self._store(uri, experiment)
        parent = self._home.start_parent(*beginning)
        self._claim = Claim(parent, beginning.tags[CLAIM])
        return Opened(self._home.uri, self._home.experiment_id, parent.run_id)

    def on_parent(self, method: str, arguments: Sequence[Any], settings: Mapping[str, Any]) -> None:
        """Call a method of the parent run."""
        assert self._home is not None
        assert self._claim is not None
        self._home.claim = self._claim
        getattr(self._claim.run, method)(*arguments, **settings)

    def begin(
        self, jobs: dict[int, Trial], tags: dict[str, str], folder: Path, code: Path, runs: int
    ) -> None:
        """Begin to record jobs; see :class:`nnexp.sweep.recording.recording.Recording`.

        Args:
            folder: of the spool.
            code: where the sweep's copy of the source is.
        """
        from nnexp.sweep.recording.recording import Home, Recording
        from nnexp.sweep.recording.spool import Spool
        from nnexp.sweep.source import loaded_from

        def home(job: Trial) -> Home:
            store = self._store(job.config.tracking.uri, job.config.tracking.experiment)
            if self._claim is None:
                raise RuntimeError("the sweep's parent run could not be begun")
            store.claim = self._claim
            return Home(store, self._claim.run.run_id if store is self._home else None)

        self._context.enter_context(loaded_from(code))
        self._recording = Recording(jobs, home, tags, Spool(folder), runs)
        if self._claim is not None:
            self._recording.keep_alive(self._claim)
        self._context.enter_context(self._recording)

    def take(self, number: int, made: Outcome) -> RunResult:
        """Record the outcome of a job."""
        assert self._recording is not None
        return self._recording.take(self._recording.jobs[number], made)

    def end(self) -> float:
        """End the recording; the seconds that it took."""
        self._context.close()
        return 0.0 if self._recording is None else self._recording.seconds

    def _store(self, uri: str | None, experiment: str) -> Store:
        from nnexp.tracking.mlflow_store import Store

        key = (uri, experiment)
        with self._opening:
            if key not in self._stores:
                try:
                    self._stores[key] = Store.open(uri, experiment)
                except Exception as error:
                    # A dead server need not be asked by every job.
                    self._stores[key] = error
            found = self._stores[key]
        if isinstance(found, Exception):
            raise found
        return found


class Forward(QueueHandler):
    """Sends log records to the sweep's process."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)  # type: ignore[arg-type]

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send one that was made plain."""
        self.queue("log", record)  # type: ignore[operator]


class Answer:
    """Sends answers and log records, which come from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def __call__(self, kind: str, value: Any) -> None:
        message = pickle.dumps((kind, value), pickle.HIGHEST_PROTOCOL)
        try:
            with self._lock:
                self._connection.send_bytes(message)
        except OSError:
            _leave_at_once()


def main(descriptor: int, pid: int) -> None:
    """Serve the process ``pid`` at the other end of a socket until it says that this was all."""
    connection = Connection(descriptor)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(connection, requests), name="nnexp-read", daemon=True).start()
    leave(lambda: _serve(Answer(connection), requests, pid))


def _read(connection: Connection, requests: SimpleQueue[bytes]) -> None:
    try:
        while message := connection.recv_bytes():
            requests.put(message)
        requests.put(b"")
    except (EOFError, OSError):
        _leave_at_once()


def _leave_at_once() -> NoReturn:
    """Without another word: the sweep's process is gone, and what it left may be taken over by another."""
    os._exit(1)


def _serve(answer: Answer, requests: SimpleQueue[bytes], pid: int) -> int:
    logging.getLogger().addHandler(Forward(answer))
    logging.getLogger("nnexp").setLevel(logging.INFO)
    try:
        # Loaded before anything is asked for.
        import nnexp.sweep.recording.recording
        import nnexp.tracking.mlflow_store  # noqa: F401
        from nnexp.sweep.engines.portable import portable
        from nnexp.tracking.heartbeat import speak_for
    except Exception:
        # The sweep's own process records then, and says what is wrong if it cannot either.
        LOG.warning("it could not be loaded what records", exc_info=True)
        return 1
    speak_for(pid)
    server = Server()
    while request := requests.get():
        try:
            name, arguments = pickle.loads(request)
            value = getattr(server, name)(*arguments)
        except Exception as error:
            answer("error", portable(error))
        else:
            answer("value", value)
    return 0
