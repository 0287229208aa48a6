"""The journal of this command: created once, and in use until the command ends."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from nnexp.config.schema import Config
from nnexp.process import writing_to
from nnexp.sweep.commands import sync
from nnexp.sweep.identity import KEY, sweep_key
from nnexp.tracking import journal, locations
from nnexp.tracking.bring_in import Stores, bring_in_each
from nnexp.tracking.claim import CHECKPOINTS, CLAIM, JOURNAL
from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.journal import Beginning
from nnexp.tracking.left import RUNS, alone, begin_parent, in_use
from nnexp.tracking.locations import StoreError
from nnexp.tracking.parent import UNTIL
from nnexp.training.checkpoint import FOLDER


class OwnJournal:
    """Prevents other commands from starting or continuing the same sweep at the same time."""

    def __init__(self) -> None:
        self._alone, self._in_use = ExitStack(), ExitStack()

    def look_alone(self, key: str, uri: str | None) -> None:
        """Make other commands that search for the sweep of this key wait, until :meth:`known`.

        They are those of the same SQLite file, or for a server those of this folder.
        """
        file = locations.database(locations.resolve(uri))
        self._alone.enter_context(alone(f"begins-{key}", Path(RUNS) if file is None else file.parent))

    def known(self) -> None:
        """The sweep can now be found by other commands."""
        self._alone.close()

    def begin(self, folder: Path, config: Config, begin: Beginning) -> None:
        """Create it in a folder.

        Raises:
            StoreError: the folder has another command's journal, which is in use or cannot be delivered.
            OSError: it cannot be written.
        """
        setting = "hydra.sweep.dir" if "nnexp.sweep_id" in begin.tags else "hydra.run.dir"
        if in_use(folder):
            raise StoreError(
                f"{setting}={folder.parent}: another command still works in it; expected another folder"
            )
        if folder.exists():
            bring_in_each(Stores(), [folder])
        if folder.exists():
            raise StoreError(
                f"{setting}={folder.parent}: the folder has runs of an earlier command that are not recorded; "
                f"to record them: {sync(folder)}"
            )
        uri = config.tracking.uri and locations.public(config.tracking.uri)
        record = journal.framed(
            "begin", uri=uri, store=locations.resolve(config.tracking.uri), experiment=config.tracking.experiment,
            begin=begin, process=heartbeat()["nnexp.process"],
        )  # fmt: skip
        with writing_to(folder):
            folder.mkdir(parents=True)
            self._in_use.callback(os.close, begin_parent(folder, record))
        self.known()

    def close(self) -> None:
        """Allow other commands to continue the sweep."""
        self.known()
        self._in_use.close()


def beginning(
    config: Config,
    folder: Path,
    sweep_id: str,
    token: str,
    overrides: Sequence[str],
    jobs: int | None,
    started: int,
) -> Beginning:
    """What a sweep's parent run starts with; ``folder`` is its journal's."""
    words, key = shlex.join(overrides), sweep_key(overrides, config.sweep)
    tags = {"nnexp.sweep_id": sweep_id, "nnexp.overrides": words, CLAIM: token, KEY: key}
    tags |= {JOURNAL: str(folder), CHECKPOINTS: str(folder.with_name(FOLDER))}
    tags |= {UNTIL: config.sweep.until} if config.sweep.until is not None else {}
    return Beginning(f"sweep {sweep_id}", {"overrides": words, "jobs": str(jobs)}, tags, started)
