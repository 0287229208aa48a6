"""Something that is done meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """A call in a thread of its own, whose error is raised where its result is waited for."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="nnexp-later", daemon=True)
        self._thread.start()

    def result(self) -> None:
        """Wait for the end; raises what the call raised."""
        while self._thread.is_alive():
            # With a time limit, so that signals get through.
            self._thread.join(0.2)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error
