"""Journals whose sweeps are over are brought into their stores."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, NamedTuple

from nnexp.tracking import journal
from nnexp.tracking.deliver import Delivery, SweepRuns
from nnexp.tracking.journal import DONE, PARENT, RUN
from nnexp.tracking.locations import StoreError
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent_file import TRIES

LOG = logging.getLogger(__name__)

LOCK_SECONDS = 2.0
"""How long another process is waited for."""


class Brought(NamedTuple):
    """How many runs were brought in, how many were there already, and what could not be."""

    runs: int
    there: int
    problems: list[str]


def bring_in(open_store: Callable[[str | None, str], Any], place: Path) -> Brought:
    """Record the journals below ``place`` and remove them; what cannot be read or recorded stays.

    Raises:
        StoreError: a store cannot be opened.
    """
    problems: list[str] = []
    recorded: list[str] = []
    there = 0

    def tell(what: str, **said: Any) -> None:
        if what == "recorded":
            recorded.append(said["name"])
        elif what == "kept":
            problems.append(f"{folder / said['name']}{RUN}: {said['why']}")

    for folder in sorted({file.parent for file in (*journal.entries(place), *place.rglob(PARENT))}):
        with locked(folder):
            delivery = Delivery(folder, open_store, tell)
            try:
                delivery.open()
            except SweepRuns as error:
                problems.append(f"{folder}: {error}")
                continue
            there += len(list(folder.glob(f"*{DONE}")))
            for _ in range(TRIES):
                try:
                    delivery.look()
                    break
                except StoreError as error:
                    problems.append(f"{folder}: {reason_of(error)}")
                    break
                except Exception as error:
                    LOG.warning("%s", reason_of(error))
            delivery.close()
    return Brought(len(recorded), there, problems)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A context in which no other process delivers a folder; one that is ending is waited for.

    Raises:
        StoreError: another one does.
    """
    with open(folder / ".lock", "a") as lock:
        until = perf_counter() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if perf_counter() > until:
                    raise StoreError(f"{folder}: another process delivers this journal") from error
                sleep(0.1)
        yield
