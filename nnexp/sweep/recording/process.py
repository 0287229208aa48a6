"""A process that records: it loads MLflow while the command is still composing, and sends while others compute."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NamedTuple

from nnexp.process import signals_blocked

LOG = logging.getLogger(__name__)

PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from nnexp.sweep.recording.server import main
main(int(sys.argv[1]), int(sys.argv[3]))
"""

QUIT_SECONDS = 10.0
"""How long the process may take to close its store."""


class Lost(Exception):
    """The process is gone; a call may have been made or not."""


class Call(NamedTuple):
    """A message for the process, and where its answer goes."""

    message: bytes
    answer: Future[Any]


class RecordingProcess:
    """A process that makes calls to :class:`nnexp.sweep.recording.server.Server`, one after another.

    It ends at once when this process is gone, and ignores SIGINT and SIGTERM: what they mean is decided here.
    What it logs is logged here. ``lost`` is set once it is gone.
    """

    def __init__(self) -> None:
        here, there = socket.socketpair()
        self.lost = threading.Event()
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._waiting: deque[Future[Any]] = deque()
        self._lock = threading.Lock()
        self._asked = self._closing = False
        with there, signals_blocked(signal.SIGINT, signal.SIGTERM):
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(there.fileno()), json.dumps(sys.path), str(os.getpid())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
            )
            self._connection = Connection(here.detach())
            # Threads that get no signal send and receive: half a message would be the end of all others.
            self._threads = [
                threading.Thread(target=work, name=f"nnexp-recording-{name}", daemon=True)
                for name, work in (("send", self._send), ("receive", self._receive))
            ]
            try:
                for thread in self._threads:
                    thread.start()
            except RuntimeError:
                self.kill()
                raise

    def call(self, name: str, *arguments: Any) -> Future[Any]:
        """The result of a method of the server, or what it raises; :class:`Lost` if the process is gone."""
        message = pickle.dumps((name, arguments), pickle.HIGHEST_PROTOCOL)
        call = Call(message, Future())
        if self._closing:
            call.answer.set_exception(Lost())
            return call.answer
        self._asked = True
        self._calls.put(call)
        return call.answer

    def kill(self) -> int:
        """End the process now, whatever it does; it has gone when this returns its exit code."""
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """End the process: at once where it was asked for nothing, else after its last call if that comes soon."""
        self._closing = True
        try:
            if self._asked:
                self._calls.put(None)
                self._process.wait(QUIT_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            LOG.warning("the process that recorded did not end and was killed")
        finally:
            # Nobody is to record after this command has ended.
            self.kill()
        self._calls.put(None)
        for thread in self._threads:
            thread.join()
        self._connection.close()

    def _send(self) -> None:
        while (call := self._calls.get()) is not None:
            with self._lock:
                if self.lost.is_set():
                    call.answer.set_exception(Lost())
                    continue
                self._waiting.append(call.answer)
            # Where the process is gone, who receives says so to all that wait.
            with suppress(OSError):
                self._connection.send_bytes(call.message)
        with suppress(OSError):
            self._connection.send_bytes(b"")

    def _receive(self) -> None:
        try:
            while True:
                kind, value = pickle.loads(self._connection.recv_bytes())
                if kind == "log":
                    logging.getLogger(value.name).handle(value)
                    continue
                with self._lock:
                    answer = self._waiting.popleft()
                if kind == "error":
                    answer.set_exception(value)
                else:
                    answer.set_result(value)
        except (EOFError, OSError):
            # The process is gone; whoever goes on says so.
            pass
        except Exception as error:
            # Nobody may wait for ever.
            LOG.error("what the process that records answered cannot be read (%s)", error)
        if not self._closing:
            # One that is not gone by then is killed.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            # Not even half alive may it write what is written elsewhere from now on.
            self.kill()
        with self._lock:
            self.lost.set()
            for answer in self._waiting:
                answer.set_exception(Lost())
            self._waiting.clear()


def begun(overrides: Sequence[str]) -> RecordingProcess | None:
    """A process for a multirun with these overrides, if it is a new one, in groups, and there can be one more."""
    if not wanted(overrides):
        return None
    try:
        return RecordingProcess()
    except (OSError, RuntimeError) as error:
        # The sweep's own process records then.
        LOG.info("no process that records can be begun (%s)", error)
        return None


def wanted(overrides: Sequence[str]) -> bool:
    """Whether a multirun is a new one that is trained in groups."""
    settings = dict(override.lstrip("+").partition("=")[::2] for override in overrides)
    return (
        settings.get("sweep.resume", "false") in ("false", "auto")
        and settings.get("sweep.extend", "null") == "null"
        and settings.get("hydra/launcher", "batched") == "batched"
    )
