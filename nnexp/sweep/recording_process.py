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
from typing import Any

from nnexp.process import deaf

PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from nnexp.sweep.recording_server import main
main(int(sys.argv[1]), int(sys.argv[3]))
"""

QUIT_SECONDS = 10.0
"""How long the process may take to close its store."""


class Lost(Exception):
    """The process is gone; a call may have been made or not."""


class RecordingProcess:
    """A process that makes calls to :class:`nnexp.sweep.recording_server.Server`, one after another.

    It ends at once when this process is gone, and hears neither SIGINT nor SIGTERM: what they mean is decided
    here. What it logs is logged here.
    """

    def __init__(self) -> None:
        here, there = socket.socketpair()
        self._waiting: deque[Future[Any]] = deque()
        self._outgoing: SimpleQueue[bytes | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._lost = False
        self._asked = False
        with there, deaf(signal.SIGINT, signal.SIGTERM):
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(there.fileno()), json.dumps(sys.path), str(os.getpid())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
            )
            self._connection = Connection(here.detach())
            # A signal interrupts the main thread anywhere, and half a message would be the end of all others.
            self._threads = [
                threading.Thread(target=work, name=f"nnexp-recording-{name}", daemon=True)
                for name, work in (("send", self._send), ("receive", self._receive))
            ]
            for thread in self._threads:
                thread.start()

    def call(self, name: str, *arguments: Any) -> Future[Any]:
        """The result of a method of the server, or what it raises; :class:`Lost` if the process is gone."""
        message = pickle.dumps((name, arguments), pickle.HIGHEST_PROTOCOL)
        future: Future[Any] = Future()
        with self._lock:
            self._asked = True
            if self._lost:
                future.set_exception(Lost())
            else:
                self._waiting.append(future)
                self._outgoing.put(message)
        return future

    def kill(self) -> None:
        """End the process now, whatever it does; it has gone when this returns."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process: at once where it was asked for nothing, else after its last call."""
        if not self._asked:
            self._process.kill()
        self._outgoing.put(None)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(QUIT_SECONDS)
        finally:
            # Also when a second signal came: nobody is to record after this command has ended.
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        self._connection.close()

    def _send(self) -> None:
        with suppress(OSError):
            while (message := self._outgoing.get()) is not None:
                self._connection.send_bytes(message)
            self._connection.send_bytes(b"")

    def _receive(self) -> None:
        # Whatever goes wrong here, nobody may wait for ever.
        with suppress(Exception):
            while True:
                kind, value = pickle.loads(self._connection.recv_bytes())
                if kind == "log":
                    logging.getLogger(value.name).handle(value)
                    continue
                with self._lock:
                    future = self._waiting.popleft()
                if kind == "error":
                    future.set_exception(value)
                else:
                    future.set_result(value)
        with self._lock:
            self._lost = True
            if self._waiting:
                # Not even half alive may it write what is written elsewhere then.
                self._process.kill()
                self._process.wait()
            for future in self._waiting:
                future.set_exception(Lost())
            self._waiting.clear()
        self._outgoing.put(None)


def begun(arguments: Sequence[str]) -> RecordingProcess | None:
    """A process for a command line that wants one, if there can be one more."""
    if not wanted(arguments):
        return None
    try:
        return RecordingProcess()
    except OSError:
        return None


def wanted(arguments: Sequence[str]) -> bool:
    """Whether a command line is that of a new sweep which is trained in groups."""
    other = ("--dry-run", "--end-stale", "--cfg", "-c", "--info", "-i", "--hydra-help")
    flags = [argument.split("=")[0] for argument in arguments]
    if not {"-m", "--multirun"} & set(flags) or set(other) & set(flags):
        return False
    settings = dict(argument.lstrip("+").partition("=")[::2] for argument in arguments)
    return (
        settings.get("sweep.resume", "false") == "false"
        and settings.get("hydra/launcher", "batched") == "batched"
    )
