"""Delivery of the journals of ended commands to their stores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from nnexp.tracking import journal
from nnexp.tracking.deliver import Delivery
from nnexp.tracking.journal import DONE, PARENT, RUN
from nnexp.tracking.left import in_use, left, locked, read
from nnexp.tracking.locations import StoreError, resolve
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent_file import TRIES

LOG = logging.getLogger(__name__)


class Stores:
    """Stores by address and experiment, each opened once.

    Args:
        uri: is used in place of the addresses of journals.
        known: one that is open.
    """

    def __init__(self, uri: str | None = None, known: Any = None) -> None:
        self._uri = uri
        self._open = {} if known is None else {(known.uri, known.experiment): known}

    def __call__(self, uri: str | None, experiment: str) -> Any:
        """The store.

        Raises:
            StoreError: it cannot be opened.
        """
        from nnexp.tracking.mlflow_store import Store

        key = (resolve(self._uri or uri), experiment)
        if key not in self._open:
            self._open[key] = Store.open(*key)
        return self._open[key]


class Brought(NamedTuple):
    """The number of runs recorded now, of runs recorded before, and the problems."""

    runs: int
    there: int
    problems: list[str]


def bring_in(open_store: Callable[[str | None, str], Any], place: Path) -> Brought:
    """Record the journals below ``place`` and remove them; a journal that cannot be read or recorded stays."""
    folders = sorted({file.parent for file in (*journal.entries(place), *place.rglob(PARENT))})
    return bring_in_each(open_store, folders)


def bring_in_each(open_store: Callable[[str | None, str], Any], folders: Iterable[Path]) -> Brought:
    """Record journals and remove them, each under its lock; those of running commands stay."""
    total = Brought(0, 0, [])
    for folder in folders:
        if in_use(folder) and (one := read(folder)) is not None:
            what = f"sweep {one.sweep_id}" if one.sweep_id else "its run"
            total.problems.append(f"{folder}: {one.process} still works on {what}")
            continue
        try:
            with locked(folder) as there:
                brought = deliver(open_store, folder) if there else Brought(0, 0, [])
        except StoreError as error:
            brought = Brought(0, 0, [str(error)])
        problems = [*total.problems, *brought.problems]
        total = Brought(total.runs + brought.runs, total.there + brought.there, problems)
    return total


def bring_in_left(uri: str | None) -> str:
    """Record the runs that earlier commands left for a store; return a line about them for the user."""
    folders = [one.folder for one in left(uri) if not in_use(one.folder)]
    brought = bring_in_each(Stores(), folders)
    return said_of(brought.runs, sum(len(journal.left(folder)) for folder in folders))


def said_of(brought: int, rest: int) -> str:
    """A line for the user: how many runs of earlier commands were recorded, and how many were not."""
    said = [f"{_runs(brought)} of earlier commands recorded"] if brought > 0 else []
    if rest:
        said.append(f"{_runs(rest)} of earlier commands not recorded; to record them: python -m nnexp.sync")
    return "; ".join(said)


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def deliver(open_store: Callable[[str | None, str], Any], folder: Path) -> Brought:
    """Record a :func:`locked` journal and remove it; it stays if it cannot be read or recorded."""
    problems: list[str] = []
    recorded: list[str] = []

    def tell(what: str, **said: Any) -> None:
        if what == "recorded":
            recorded.append(said["name"])
        elif what == "kept":
            problems.append(f"{folder / said['name']}{RUN}: {said['why']}")

    delivery = Delivery(folder, open_store, tell)
    try:
        delivery.open()
    except Exception as error:
        return Brought(0, 0, [f"{folder}: {error if isinstance(error, StoreError) else reason_of(error)}"])
    there = len(list(folder.glob(f"*{DONE}")))
    for number in range(1, TRIES + 1):
        try:
            delivery.look()
            break
        except Exception as error:
            if number == TRIES or isinstance(error, StoreError):
                problems.append(f"{folder}: {reason_of(error)}")
                break
            LOG.warning("%s", reason_of(error))
    delivery.close()
    return Brought(len(recorded), there, problems)
