"""The file of a sweep's parent run, sent to its store."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from nnexp.tracking import journal
from nnexp.tracking.locations import StoreError
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.protocol import Shared

LOG = logging.getLogger(__name__)

TRIES = 3
"""How often what a store does not take is tried while it takes other things."""


class NotEnded(StoreError):
    """The store takes no more of a sweep's end."""


class ParentFile:
    """What the file says, sent as it comes.

    Args:
        parent: the run in the store.

    Attributes:
        missing: why something of it is not in the store, if anything is.
    """

    def __init__(self, file: Path, store: Any, parent: Any) -> None:
        self.missing = ""
        self._file, self._store, self._parent = file, store, parent
        self._read_to = self._failures = self._end_tries = 0

    def send(self) -> dict[str, Any] | None:
        """Send what has come since the last call; the record of the sweep's end once it is there.

        Raises:
            StoreError: the store is away.
            Exception: it did not take something, which is to be tried again.
        """
        for record in journal.since(self._file, self._read_to):
            if record.kind == "end":
                return record.said
            try:
                self._send(record)
                self._failures = 0
            except StoreError:
                raise
            except Exception as error:
                see_that_it_answers(self._store)
                self._failures += 1
                if not self.missing:
                    if self._failures < TRIES:
                        raise
                    LOG.warning("not all of the sweep's parent run is recorded (%s)", reason_of(error))
                self.missing = reason_of(error)
            self._read_to = record.place + 1
        return None

    def _send(self, record: journal.Record) -> None:
        if record.kind == "numbers":
            self._parent.record(numbers=record.said["numbers"])
        elif record.kind == "file":
            self._parent.log_files({record.said["path"]: record.content})
        elif record.kind == "views":
            self._share(record.said["shared"])

    def _share(self, said: list[Any]) -> None:
        shared = Shared(*said)
        try:
            self._parent.share(shared._replace(methods=tuple(shared.methods)))
        except StoreError:
            raise
        except Exception as error:
            LOG.warning("the views of the sweep could not be made (%s)", reason_of(error))

    def end(self, said: dict[str, Any]) -> None:
        """End the run as the record of its end says; as FAILED if it is not there whole.

        Raises:
            NotEnded: the store does not take it, or something is missing.
            Exception: it is to be tried again.
        """
        try:
            self._store.check()
            self._parent.finish("FAILED" if self.missing else said["status"], said["tags"])
        except StoreError:
            raise
        except Exception as error:
            see_that_it_answers(self._store)
            self._end_tries += 1
            if self._end_tries >= TRIES:
                raise NotEnded(reason_of(error)) from error
            raise
        if self.missing:
            raise NotEnded(f"not all of it is recorded ({self.missing})")


def parent_record(file: Path, kind: str) -> dict[str, Any] | None:
    """What the first record of a kind says in a parent run's file, None without one."""
    records = journal.scan(file).records if file.exists() else []
    return next((record.said for record in records if record.kind == kind), None)


def see_that_it_answers(store: Any) -> None:
    """See that a store which did not take something is there at all.

    Raises:
        StoreError: it is away, and takes nothing else either.
    """
    try:
        store.answer()
    except StoreError:
        raise
    except Exception as error:
        LOG.warning("the store cannot be asked whether it is there (%s)", reason_of(error))
