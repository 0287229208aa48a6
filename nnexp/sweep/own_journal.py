"""The journal of a sweep that runs here: begun once, and in use until its command ends."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from nnexp.config.schema import Config
from nnexp.process import writing_to
from nnexp.sweep.commands import sync
from nnexp.tracking import journal, locations
from nnexp.tracking.bring_in import Stores, bring_in_each
from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.journal import Beginning
from nnexp.tracking.left import alone, begin_parent
from nnexp.tracking.locations import StoreError


class OwnJournal:
    """What keeps other commands from beginning the same sweep, or from going on with it, meanwhile."""

    def __init__(self) -> None:
        self._alone, self._in_use = ExitStack(), ExitStack()

    def look_alone(self, key: str) -> None:
        """Let another command that looks for the sweep of this key wait, until :meth:`known`."""
        self._alone.enter_context(alone(f"begins-{key}"))

    def known(self) -> None:
        """The sweep is one that whoever looks for it sees."""
        self._alone.close()

    def begin(self, folder: Path, config: Config, begin: Beginning) -> None:
        """Begin it in a folder.

        Raises:
            StoreError: the folder holds what an earlier sweep left, and its store does not take that.
            OSError: it cannot be written.
        """
        if folder.exists():
            bring_in_each(Stores(), [folder])
        if folder.exists():
            raise StoreError(
                f"hydra.sweep.dir={folder.parent}: expected a folder whose journal is delivered; "
                f"{sync(folder)} says what is in the way"
            )
        uri = config.tracking.uri and locations.public(config.tracking.uri)
        record = journal.framed(
            "begin", uri=uri, store=locations.resolve(config.tracking.uri), experiment=config.tracking.experiment,
            begin=begin, process=heartbeat()["nnexp.process"],
        )  # fmt: skip
        with writing_to(folder):
            self._in_use.callback(os.close, begin_parent(folder, record))
        self.known()

    def close(self) -> None:
        """Let other commands go on with the sweep."""
        self.known()
        self._in_use.close()
