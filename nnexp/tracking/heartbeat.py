"""Heartbeats of the process that records a run, and the status of a run without them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
"""A RUNNING run whose last heartbeat is older is stale: its process has ended."""


_speaks_for: int | None = None


def speak_for(pid: int) -> None:
    """From now on, record heartbeats for another process, with which this one ends."""
    global _speaks_for
    _speaks_for = pid


def heartbeat() -> dict[str, str]:
    """Tags with the process of a run, and the time of its last heartbeat (seconds since 1970)."""
    process = f"{socket.gethostname()}:{_speaks_for or os.getpid()}"
    return {"nnexp.process": process, "nnexp.heartbeat": f"{time.time():.0f}"}


def stale(tags: Mapping[str, str], since: float) -> str:
    """Why a RUNNING run is stale; empty while its process may still run.

    Args:
        tags: the run's, or those of its sweep's parent.
        since: its start, seconds since 1970; used as the heartbeat of a run without one.
    """
    host, _, pid = tags.get("nnexp.process", "").rpartition(":")
    if host == socket.gethostname() and pid.isdigit() and not _alive(int(pid)):
        return f"process {pid} on {host} has ended"
    silent = time.time() - float(tags.get("nnexp.heartbeat", since))
    return f"no heartbeat for {silent:.0f} s" if silent > STALE_SECONDS else ""


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
