"""Whose a sweep is: a token on its parent run, which who goes on with the sweep replaces."""

from __future__ import annotations

import time
from typing import Any

from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.locations import StoreLost, SweepTaken

CLAIM = "nnexp.claim"
"""The tag that holds the token."""

JOURNAL = "nnexp.journal"
"""The tag that says where the sweep's journal is, on the machine of its process."""

CHECKPOINTS = "nnexp.checkpoints"
"""The tag, of a sweep's parent or of a run without a sweep, that says where checkpoints are, on that machine."""

CONTINUED = "nnexp.continued"
"""The tag that says at which iteration a run was gone on with."""

RESUMES = "nnexp.resumes"
"""The tag that says which run a run goes on with."""

SETTLE_SECONDS = 1.0
"""How long who goes on with a sweep waits before the token is read back; a check is good as long."""


class Claim:
    """A sweep's parent ``run`` (of MLflow), begun or gone on with under ``token``."""

    def __init__(self, run: Any, token: str) -> None:
        self.run, self.token = run, token
        self._checked = -SETTLE_SECONDS

    def check(self, now: bool = False) -> None:
        """See that the sweep is still ours; the store is asked if it was not within :data:`SETTLE_SECONDS`.

        Raises:
            StoreLost: the parent run is gone, and so is the store that it was in.
            SweepTaken: the token is another one.
        """
        # A clock that goes on while the machine, or this process, is suspended.
        begun = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
        if not now and begun - self._checked < SETTLE_SECONDS:
            return
        from mlflow.exceptions import MlflowException

        try:
            found = self.run.store.client.get_run(self.run.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise StoreLost(f"the sweep's parent run {self.run.run_id} is no longer in the store") from error
        tags = found.data.tags
        if tags.get(CLAIM) != self.token:
            sweep, other = tags.get("nnexp.sweep_id", ""), tags.get("nnexp.process", "another process")
            raise SweepTaken(f"sweep {sweep}: {other} has gone on with it; this command ends")
        if found.info.lifecycle_stage != "active":
            raise StoreLost(f"the sweep's parent run {self.run.run_id} was deleted")
        self._checked = begun

    def beat(self) -> None:
        """Give a sign of life, if the sweep is still ours.

        Raises:
            StoreLost, SweepTaken: see :meth:`check`.
        """
        self.run.store.check()
        self.check(now=True)
        self.run.record(tags=heartbeat())
