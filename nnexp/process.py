"""A command's process: how it goes about memory and signals, and its end."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

COLLECT = 50_000
"""New objects after which Python looks for those that only refer to each other; by itself after 700."""


def leave(main: Callable[[], int]) -> None:
    """Run a command in a process of its own and exit with its code.

    Raises:
        SystemExit: always.
    """
    # To load MLflow, to open its store and each call to it make very many objects: looking through them so
    # often takes a fifth of that time.
    gc.set_threshold(COLLECT, *gc.get_threshold()[1:])
    code = main()
    # Python would look through all objects once more: more than half a second.
    gc.freeze()
    sys.exit(code)


@contextmanager
def deaf(*numbers: int) -> Iterator[None]:
    """Threads and processes started meanwhile never hear these signals; this thread hears them afterwards."""
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
