"""Ownership of a sweep or of a run outside sweeps: a token in a tag, replaced by the process that continues it."""

from __future__ import annotations

import time
from typing import Any

from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.locations import StoreLost, SweepTaken

CLAIM = "nnexp.claim"
"""The tag that holds the token."""

ONLY = "nnexp.only"
"""The tag of a parent run that remains, of those that were started for the same sweep at the same time."""

JOURNAL = "nnexp.journal"
"""The tag with the place of the sweep's journal, on the machine of its process."""

CHECKPOINTS = "nnexp.checkpoints"
"""The tag with the place of checkpoints on that machine, of a sweep's parent or of a single run."""

CONTINUED = "nnexp.continued"
"""The tag with the iteration at which a run was continued."""

RESUMES = "nnexp.resumes"
"""The tag with the id of the run that a run continues."""

SETTLE_SECONDS = 1.0
"""Wait of a process that continues a sweep before it reads its token back; a check is valid as long."""


class Claim:
    """A ``run`` (of MLflow) that is a sweep's parent or outside sweeps, started or continued under ``token``."""

    def __init__(self, run: Any, token: str) -> None:
        self.run, self.token = run, token
        self._checked = -SETTLE_SECONDS

    def check(self, now: bool = False) -> None:
        """Check that it is still ours; at most one query in :data:`SETTLE_SECONDS`.

        Raises:
            StoreLost: the run no longer exists.
            SweepTaken: the token has changed.
        """
        # A clock that continues while the machine, or this process, is suspended.
        begun = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
        if not now and begun - self._checked < SETTLE_SECONDS:
            return
        from mlflow.exceptions import MlflowException

        try:
            found = self.run.store.client.get_run(self.run.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise StoreLost(f"run {self.run.run_id} is no longer in the store") from error
        tags = found.data.tags
        if tags.get(CLAIM) != self.token:
            sweep, other = tags.get("nnexp.sweep_id"), tags.get("nnexp.process", "another process")
            what = f"sweep {sweep}" if sweep else f"run {self.run.run_id}"
            raise SweepTaken(f"{what}: {other} has continued it; this command ends")
        if found.info.lifecycle_stage != "active":
            raise StoreLost(f"run {self.run.run_id} was deleted")
        self._checked = begun

    def beat(self) -> None:
        """Record a heartbeat, if it is still ours.

        Raises:
            StoreLost, SweepTaken: see :meth:`check`.
        """
        self.run.store.check()
        self.check(now=True)
        self.run.record(tags=heartbeat())
