"""Signals while a sweep is trained: the first one ends it gracefully, the second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled like Ctrl-C."""


NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """A context in which SIGINT and SIGTERM first call ``stop``, and raise only if they come again.

    Args:
        stop: asks all workers to end soon; called once.
        say: prints a line for the user.
    """

    def __init__(self, stop: Callable[[], None], say: Callable[[str], None]) -> None:
        self._stop, self._say = stop, say
        self._before: dict[int, Any] = {}
        self.number: int | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._come) for number in NUMBERS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def raise_if_any(self) -> None:
        """Raise the exception of the first signal.

        Raises:
            KeyboardInterrupt: a signal came.
        """
        if self.number is not None:
            raise _error(self.number)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            raise _error(number)
        self.number = number
        self._stop()
        self._say("stopping: running jobs are being recorded; repeat the signal (Ctrl-C) to stop at once")


def _error(number: int) -> KeyboardInterrupt:
    return Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
