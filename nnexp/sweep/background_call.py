"""Something that is done meanwhile."""

from __future__ import annotations

import contextlib
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


def load_summary() -> None:
    """Load what a sweep's summary needs, which takes half a second: while others train."""
    with contextlib.suppress(Exception):
        import pandas as pd  # noqa: F401

        import nnexp.pictures.one_run  # noqa: F401
