"""Signs of life of the process that records a run, and what a run without them is."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A RUNNING run whose last sign of life is older has been left behind."""


_speaks_for: int | None = None


def speak_for(pid: int) -> None:
    """From now on, give signs of life of another process, which this one does not outlive."""
    global _speaks_for
    _speaks_for = pid


def heartbeat() -> dict[str, str]:
    """Tags that say which process's run it is, and when that was last alive (seconds since 1970)."""
    process = f"{socket.gethostname()}:{_speaks_for or os.getpid()}"
    return {"nnexp.process": process, "nnexp.heartbeat": f"{time.time():.0f}"}


def stale(tags: Mapping[str, str], since: float) -> str:
    """Why a RUNNING run is to be given up, or nothing while it may be alive.

    Args:
        tags: the run's, or those of its sweep's parent.
        since: when it began, seconds since 1970, the last sign of life of a run without a heartbeat.
    """
    host, _, pid = tags.get("nnexp.process", "").rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _alive(int(pid)):
        return f"process {pid} on {host} is gone"
    silent = time.time() - float(tags.get("nnexp.heartbeat", since))
    return f"no sign of life for {silent:.0f} s" if silent > STALE_SECONDS else ""


def worked_on(run: Any) -> str:
    """The process that still works on a run (of MLflow), empty if none does."""
    tags = run.data.tags
    if run.info.status != "RUNNING" or stale(tags, run.info.start_time / 1000):
        return ""
    return str(tags.get("nnexp.process", "another process"))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
