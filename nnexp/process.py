"""A command's process: garbage collection, signals, output streams, and its exit."""

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
"""New objects between two runs of Python's garbage collector, whose default is 700."""


def leave(main: Callable[[], int]) -> None:
    """Run a command in a process of its own and exit with its code.

    Raises:
        SystemExit: always.
    """
    _open_closed_streams()
    # MLflow creates very many objects: the default threshold costs a fifth of the time of its calls.
    gc.set_threshold(COLLECT, *gc.get_threshold()[1:])
    try:
        code = main()
    except KeyboardInterrupt:
        # During imports, before anything has begun.
        code = 130
        # At the exit an interruption would only print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Without this, a last garbage collection takes half a second.
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
    """Replace closed standard streams by the null device, so that a missing output does not end training.

    Otherwise the next opened file would get the number of a closed stream, and other programs would write to it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)


class Output(io.TextIOBase):
    """A stream that discards its text after its reader is gone or its disk is full."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or discard the text if writing fails."""
        try:
            return int(self._stream.write(text))
        except OSError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except OSError:
            self._discard()

    def _discard(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        """The stream's file descriptor."""
        return int(self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's text encoding."""
        return str(self._stream.encoding)


@contextmanager
def signals_blocked(*numbers: int) -> Iterator[None]:
    """Block signals in threads and processes that are started in this context; this thread gets them afterwards."""
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
    """threadpoolctl's controller of NumPy's BLAS threads, created at the first call.

    Its search for loaded libraries can deadlock while another thread imports one, because the loader's lock and the
    interpreter's are taken in opposite orders. So it is done once, before other threads start.
    """
    # Only loaded libraries are found.
    import numpy  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Add the folder's name to errors of the disk: the error of a full disk does not name a file.

    Raises:
        OSError: the same error, with the folder.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
