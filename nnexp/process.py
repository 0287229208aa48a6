"""A command's process: how it goes about memory and signals, and its end."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

COLLECT = 50_000
"""New objects after which Python looks for those that only refer to each other; by itself after 700."""


def leave(main: Callable[[], int]) -> None:
    """Run a command in a process of its own and exit with its code.

    Raises:
        SystemExit: always.
    """
    _open_closed_streams()
    # To load MLflow, to open its store and each call to it make very many objects: looking through them so
    # often takes a fifth of that time.
    gc.set_threshold(COLLECT, *gc.get_threshold()[1:])
    try:
        code = main()
    except KeyboardInterrupt:
        # While it was still loading what it needs: nothing has begun.
        code = 130
    # It is over: what comes now would only be a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python would look through all objects once more: more than half a second.
    gc.freeze()
    sys.exit(code)


@contextmanager
def collection_paused() -> Iterator[None]:
    """A context without Python's search for objects that only refer to each other, where very many are made that live.

    What has become garbage meanwhile is found at the next search.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _open_closed_streams() -> None:
    """Give what nobody reads somewhere to go: a closed or broken output ends no training.

    A file that is opened next would else take a closed stream's number, and be written to by other programs.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)


class Output(io.TextIOBase):
    """A stream that falls silent when its reader is gone, or the disk that it goes to is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, to nowhere once that is no longer possible."""
        try:
            return int(self._stream.write(text))
        except OSError:
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            self._stream.flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        """Its number."""
        return int(self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """How text is written."""
        return str(self._stream.encoding)


@contextmanager
def signals_blocked(*numbers: int) -> Iterator[None]:
    """Threads and processes started meanwhile never get these signals; this thread gets them afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@cache
def blas() -> Any:
    """The controller of the threads of NumPy's BLAS, as threadpoolctl found it when first asked.

    To look through the loaded libraries may hang for ever while another thread imports one: the loader's lock
    and the interpreter's are then taken in opposite orders. So it is done once, before there are threads.
    """
    # Only what is loaded is found.
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """A context whose errors of a disk name this folder: a disk that is full does not say where.

    Raises:
        OSError: what the disk said.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
