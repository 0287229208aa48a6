"""A call that runs in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nnexp.sweep.view import View
from nnexp.tracking.outcome import reason_of

LOG = logging.getLogger(__name__)


class BackgroundCall:
    """A call in its own thread; an error is raised by :meth:`result`."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="nnexp-background", daemon=True)
        self._thread.start()

    def result(self) -> None:
        """Wait for the end; raises what the call raised."""
        while self._thread.is_alive():
            # With a time limit, so that signals are handled.
            self._thread.join(0.2)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error


def load_summary(view: View) -> None:
    """Import the packages for the summary of a sweep."""
    try:
        import pandas as pd  # noqa: F401

        import nnexp.pictures.one_run  # noqa: F401

        view.load()
    except Exception as error:
        # The summary itself raises the error.
        LOG.warning("packages of the summary cannot be imported (%s)", reason_of(error))
