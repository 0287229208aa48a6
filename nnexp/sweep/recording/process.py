"""The process that records a command's runs: it follows their journal, and is restarted if it dies."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from nnexp.process import signals_blocked
from nnexp.tracking.locations import StoreError, StoreLost, SweepTaken, credentials
from nnexp.tracking.pages import Pages

LOG = logging.getLogger(__name__)

PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from nnexp.process import leave; " \
          "from nnexp.sync import follow; leave(follow)"  # fmt: skip

STARTS = 5
"""Most starts of the process; after them runs are left in the journal."""

PATIENCE_SECONDS, HURRY_SECONDS = 60.0, 15.0
"""Most time of the store for the next run once all are trained; and in a sweep that is being stopped."""

ERRORS: dict[str, type[StoreError]] = {"taken": SweepTaken, "lost": StoreLost, "refused": StoreError}


class Recorded(NamedTuple):
    """Where a run is recorded."""

    run_id: str
    url: str


class Recorder(ABC):
    """Delivers a command's journal, with the state of the delivery.

    Attributes:
        recorded: runs that the store has, by the names of their files.
        kept: why a run could not be recorded.
        parent: the store's pages and the parent run's id, once they exist.
        error: why recording has stopped.
        on_error: called when it has stopped.
    """

    def __init__(self) -> None:
        self.recorded: dict[str, Recorded] = {}
        self.kept: dict[str, str] = {}
        self.parent: tuple[Pages, str] | None = None
        self.error: StoreError | None = None
        self.on_error: Callable[[], None] = lambda: None
        self.ended = False
        self._said: tuple[Path, str] | None = None
        self._changed = threading.Condition()
        self._closing = self._waited = False
        self._thread: threading.Thread

    @abstractmethod
    def begin(self, folder: Path, experiment: str) -> None:
        """Start to deliver a journal."""

    @abstractmethod
    def call(self) -> None:
        """Ask for a look at the journal now."""

    @abstractmethod
    def close(self) -> None:
        """End now; undelivered runs stay in the journal."""

    def wait(self, done: Callable[[], bool], stopped: Callable[[], bool]) -> bool:
        """Wait for a condition while the process makes progress; return whether it holds.

        Args:
            stopped: whether the sweep is being stopped, which shortens the wait.
        """
        self.call()
        since, known = monotonic(), -1
        with self._changed:
            while not done() and self.error is None and self._running():
                if len(self.recorded) + len(self.kept) > known and not stopped():
                    since, known = monotonic(), len(self.recorded) + len(self.kept)
                in_a_hurry = self._waited or (stopped() and self.parent is not None)
                if monotonic() - since > (HURRY_SECONDS if in_a_hurry else PATIENCE_SECONDS):
                    # Other waits share this time.
                    self._waited = True
                    break
                self._changed.wait(0.2)
            return done()

    def _running(self) -> bool:
        return self._thread.is_alive()

    def _hear(self, said: dict[str, str]) -> None:
        what = said["what"]
        if what == "log":
            logging.getLogger(said["name"]).log(int(said["level"]), "%s", said["text"])
            return
        with self._changed:
            if what == "recorded":
                self._waited = False
                self.recorded[said["name"]] = Recorded(said["run_id"], said["url"])
            elif what == "kept":
                self.kept[said["name"]] = said["why"]
            elif what == "opened":
                experiment = "" if self._said is None else self._said[1]
                self.parent = Pages(said["uri"], experiment, said["experiment_id"]), said["run_id"]
            elif what == "ended":
                self.ended = True
            else:
                self.error = ERRORS[what](said["why"])
            self._changed.notify_all()
        if self.error is not None:
            self.on_error()


class RecordingProcess(Recorder):
    """A process that delivers a journal; see :func:`nnexp.sync.follow`.

    It imports MLflow at its start, ends at once when this process ends, and ignores SIGINT and SIGTERM, which this
    process handles. Its log records are logged here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts = 0
        self._writing = threading.Lock()
        self._told: subprocess.Popen[bytes] | None = None
        self._start()

    def begin(self, folder: Path, experiment: str) -> None:
        """Tell the process to follow a journal."""
        self._said = (folder, experiment)
        self.call()

    def call(self) -> None:
        """Tell the process to look at the journal now, and where it is if this process was not told yet.

        A signal may have interrupted the first call, and a restarted process knows nothing.
        """
        if self._said is None:
            return
        said = {"folder": str(self._said[0]), "pid": os.getpid(), "credentials": credentials()}
        with self._writing:
            process, line = self._process, b"\n"
            if self._told is not process:
                line = json.dumps(said | {"again": self.parent is not None}).encode() + b"\n"
            assert process.stdin is not None
            # If the process has ended or its pipe is closed, its successor is told.
            with suppress(OSError, ValueError):
                process.stdin.write(line)
                process.stdin.flush()
            self._told = process

    def close(self) -> None:
        """End the process now; undelivered runs stay in the journal."""
        self._closing = True
        if self.ended or self.error is not None:
            # It closes its store.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(HURRY_SECONDS)
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _start(self) -> None:
        self._starts += 1
        with signals_blocked(signal.SIGINT, signal.SIGTERM):
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            if self._starts == 1:
                self._thread = threading.Thread(target=self._follow, name="nnexp-recording", daemon=True)
                self._thread.start()
        self.call()

    def _follow(self) -> None:
        """Read the process's events; restart it if it dies."""
        while True:
            process = self._process
            assert process.stdout is not None
            for line in process.stdout:
                try:
                    self._hear(json.loads(line))
                except (ValueError, KeyError):
                    LOG.info("output of the recording process: %s", line.decode(errors="replace").rstrip())
            code = process.wait()
            for pipe in (process.stdin, process.stdout):
                # Lost requests do no harm: the runs are in the journal.
                with suppress(OSError):
                    assert pipe is not None
                    pipe.close()
            if self._closing or self.ended or self.error is not None:
                break
            if self._starts >= STARTS:
                LOG.error(
                    "the recording process ended %d times and is not restarted; runs are kept in the journal",
                    STARTS,
                )
                break
            LOG.warning("the recording process has ended (exit code %s) and is restarted", code)
            try:
                self._start()
            except OSError as error:
                LOG.error("the recording process cannot be started (%s); runs are kept in the journal", error)
                break
        with self._changed:
            self._changed.notify_all()


class RecordingHere(Recorder):
    """A thread of this process that delivers a journal, used if no further process can be started."""

    def __init__(self) -> None:
        super().__init__()
        self._called = threading.Event()

    def begin(self, folder: Path, experiment: str) -> None:
        """Start to deliver a journal."""
        from nnexp.sync import deliver_live

        def tell(what: str, **said: str) -> None:
            self._hear({"what": what, **said})

        def wait(seconds: float) -> bool:
            self._called.wait(seconds)
            self._called.clear()
            return self._closing

        self._said = (folder, experiment)
        arguments = (folder, False, tell, wait)
        self._thread = threading.Thread(
            target=deliver_live, args=arguments, name="nnexp-recording", daemon=True
        )
        self._thread.start()

    def call(self) -> None:
        """Ask for a look at the journal now."""
        self._called.set()

    def close(self) -> None:
        """End after the current run; undelivered runs stay in the journal."""
        self._closing = True
        self.call()
        if self._said is not None:
            self._thread.join(HURRY_SECONDS)


def recorder() -> Recorder:
    """The recorder of a command: a separate process, or a thread if no process can be started."""
    try:
        return RecordingProcess()
    except (OSError, RuntimeError) as error:
        LOG.info("no recording process can be started (%s); this process records", error)
        return RecordingHere()
