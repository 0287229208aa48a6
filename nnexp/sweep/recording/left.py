"""Runs that earlier commands could not record: a process delivers them while this command trains."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import suppress
from time import monotonic

from nnexp.sweep.recording.process import PATIENCE_SECONDS
from nnexp.tracking import journal
from nnexp.tracking.bring_in import said_of
from nnexp.tracking.left import in_use, left
from nnexp.tracking.locations import credentials

LOG = logging.getLogger(__name__)

PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from nnexp.process import leave; " \
          "from nnexp.sync import bring; leave(bring)"  # fmt: skip


class LeftDelivery:
    """A process that delivers journals of a store; started if there are any, ended with the context.

    Args:
        uri: of the store.
        sweep: the id of a sweep that this command continues, whose journal it delivers itself.
    """

    def __init__(self, uri: str | None, sweep: str = "") -> None:
        found = [one for one in left(uri) if not (sweep and one.sweep_id == sweep)]
        self._folders = [one.folder for one in found if not in_use(one.folder)]
        self._before, self._process = self._runs(), self._start() if self._folders else None

    def __enter__(self) -> LeftDelivery:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is None:
            return
        # A half delivered run is delivered again.
        self._process.kill()
        self._process.communicate()

    def end(self) -> str:
        """Wait while it makes progress; return a line about it for the user."""
        since, known = monotonic(), -1
        while self._process is not None and self._process.poll() is None:
            if (now := self._runs()) != known:
                since, known = monotonic(), now
            if monotonic() - since > PATIENCE_SECONDS:
                break
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        rest = self._runs()
        return said_of(self._before - rest, rest)

    def _runs(self) -> int:
        return sum(len(journal.left(folder)) for folder in self._folders)

    def _start(self) -> subprocess.Popen[bytes] | None:
        said = {"folders": list(map(str, self._folders)), "credentials": credentials()}
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            assert process.stdin is not None
            process.stdin.write(json.dumps(said).encode() + b"\n")
            process.stdin.flush()
        except OSError as error:
            LOG.warning("runs of earlier commands are not recorded (%s)", error)
            return None
        return process
