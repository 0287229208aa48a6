"""A file that takes what is logged, and ends nothing where it cannot be written."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

LOG = logging.getLogger(__name__)


def write_timings(file: Path, times: Mapping[str, float]) -> None:
    """Write what the parts of a sweep took; a disk that cannot take it ends nothing."""
    try:
        file.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        LOG.warning("%s cannot be written (%s)", file.name, error)


class LogFile(logging.FileHandler):
    """A log whose first error of the disk is one line, and those after it none.

    Python's own would print a traceback for each record; or raise it where the record was made, if the file cannot
    even be opened.
    """

    _said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        """Close the file, which writes what it still holds."""
        try:
            super().close()
        except OSError as error:
            self._say(error)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say what is wrong with the disk, once; anything else as Python does."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._say(error)
        else:
            super().handleError(record)

    def _say(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            print(f"nnexp: {self.baseFilename}: it cannot be written ({error.strerror})", file=sys.stderr)
