"""A call that runs in the background."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundCall:
    """A call in its own thread; an error is raised by :meth:`result`."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="nnexp-background", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def result(self) -> None:
        """Wait for the end; raises what the call raised."""
        while self.running:
            # With a time limit, so that signals are handled.
            self._thread.join(0.2)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error
