"""Log files; a failure to write them does not end a command."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

LOG = logging.getLogger(__name__)


def write_timings(file: Path, times: Mapping[str, float]) -> None:
    """Write the durations of the parts of a sweep; a failure is only logged."""
    try:
        file.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        LOG.warning("%s cannot be written (%s)", file.name, error)


class LogFile(logging.FileHandler):
    """A log file that prints one line at its first error of the disk, and nothing at later ones.

    Python's own handler would print a traceback for each record, or raise an error if the file cannot be opened.
    """

    _said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def close(self) -> None:
        """Close the file, which writes its buffer."""
        try:
            super().close()
        except OSError as error:
            self._say(error)

    def handleError(self, record: logging.LogRecord) -> None:
        """Print an error of the disk once; handle any other error as Python does."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._say(error)
        else:
            super().handleError(record)

    def _say(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            print(f"nnexp: {self.baseFilename}: cannot be written ({error.strerror})", file=sys.stderr)
