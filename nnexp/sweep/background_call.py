"""Something that is done meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from nnexp.sweep.view import View
from nnexp.tracking.outcome import reason_of

LOG = logging.getLogger(__name__)


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


def load_summary(view: View) -> None:
    """Load what the summary of a sweep takes."""
    try:
        import pandas as pd  # noqa: F401

        import nnexp.pictures.one_run  # noqa: F401

        view.load()
    except Exception as error:
        # Who needs them says what is missing.
        LOG.warning("the summary's packages cannot be loaded (%s)", reason_of(error))
