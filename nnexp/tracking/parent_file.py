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
"""Attempts to record a part that the store refuses while it accepts others."""


class NotEnded(StoreError):
    """The store refuses the end of a sweep."""


class ParentFile:
    """Sends the file's records as they are written.

    Args:
        parent: the run in the store.

    Attributes:
        missing: why a part of it is not in the store; empty if all is.
    """

    def __init__(self, file: Path, store: Any, parent: Any) -> None:
        self.missing = ""
        self._file, self._store, self._parent = file, store, parent
        self._read_to = self._failures = self._end_tries = 0

    def send(self) -> dict[str, Any] | None:
        """Send what is new since the last call; return the record of the sweep's end once it is written.

        Raises:
            StoreError: the store cannot be reached.
            Exception: the store refused something, which should be tried again.
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
                    LOG.warning(
                        "a part of the sweep's parent run could not be recorded (%s)", reason_of(error)
                    )
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
        """End the run with the status in its last record; as FAILED if it is incomplete.

        Raises:
            NotEnded: the store refuses it, or something is missing.
            Exception: it should be tried again.
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
            raise NotEnded(f"a part of the sweep's parent run is not recorded ({self.missing})")


def parent_record(file: Path, kind: str) -> dict[str, Any] | None:
    """The first record of a kind in a parent run's file, None without one."""
    records = journal.scan(file).records if file.exists() else []
    return next((record.said for record in records if record.kind == kind), None)


def see_that_it_answers(store: Any) -> None:
    """Check that a store which refused something can be reached.

    Raises:
        StoreError: it cannot be reached.
    """
    try:
        store.answer()
    except StoreError:
        raise
    except Exception as error:
        LOG.warning("it could not be checked whether the store can be reached (%s)", reason_of(error))
