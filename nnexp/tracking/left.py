"""Journals that earlier commands left: runs that are not recorded yet, and the process that still writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

from nnexp.tracking import journal, locations
from nnexp.tracking.journal import DONE, PARENT, RUN, Beginning
from nnexp.tracking.locations import StoreError

RUNS = "runs"
"""The folder of the runs' files, in the working directory."""

PLACES = f"hydra/*/*/{journal.FOLDER}"
"""Where journals are below it."""

LOCK_SECONDS = 10.0
"""Most wait for another process that delivers a journal but makes no progress."""


class Left(NamedTuple):
    """A journal: its folder, its store and experiment, its first record, and its process."""

    folder: Path
    store: str
    experiment: str
    begin: Beginning
    process: str

    @property
    def sweep_id(self) -> str:
        """The id of its sweep, empty for a run outside sweeps."""
        return self.begin.tags.get("nnexp.sweep_id", "")


def left(uri: str | None) -> list[Left]:
    """A store's journals below ``runs`` here, and next to its SQLite file; oldest first."""
    store = locations.resolve(uri)
    file = locations.database(store)
    places = dict.fromkeys(
        place.absolute() for place in (Path(RUNS), *([] if file is None else [file.parent]))
    )
    folders = {folder for place in places for folder in place.glob(PLACES)}
    found = [one for folder in folders if (one := read(folder)) is not None and one.store == store]
    return sorted(found, key=lambda one: one.begin.started)


def read(folder: Path) -> Left | None:
    """The journal in a folder, None if there is none that can be delivered."""
    files = [folder / PARENT, *sorted(folder.glob(f"*{RUN}")), *sorted(folder.glob(f"*{DONE}"))]
    for file in files:
        try:
            record = journal.first(file)
            if record is not None and record.kind == "begin":
                said = record.said
                store = said["store"] if "store" in said else locations.resolve(said["uri"])
                begin, process = Beginning(*said["begin"]), said.get("process", "another process")
                return Left(folder, store, said["experiment"], begin, process)
        except (OSError, StoreError):
            # Delivered since, or with an invalid store address, which sync reports.
            continue
    return None


def is_visible(folder: Path, uri: str | None) -> bool:
    """Whether every command of the store finds a journal in this folder: it is next to the store's SQLite file."""
    file = locations.database(locations.resolve(uri))
    return file is not None and list(folder.parents)[2:3] == [file.parent / "hydra"]


def begin_parent(folder: Path, record: bytes) -> int:
    """Create a command's journal; while the returned file descriptor is open, it is :func:`in_use`.

    Raises:
        OSError: it cannot be written.
    """
    part = folder / f".{PARENT}"
    part.unlink(missing_ok=True)
    journal.append(part, [record], sync=True)
    # For writing: network file systems lock no file that is read alone.
    number = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(number, fcntl.LOCK_EX)
    # So it never exists without its lock.
    part.rename(folder / PARENT)
    return number


def in_use(folder: Path) -> bool:
    """Whether the journal's command still runs on this machine."""
    try:
        with open(folder / PARENT, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """A context in which no other process delivers a folder; false if it no longer exists, as all is delivered.

    Raises:
        StoreError: another process has the lock and makes no progress.
    """
    try:
        lock = open(folder / ".lock", "a")  # noqa: SIM115
    except FileNotFoundError:
        yield False
        return
    with lock:
        since, known = perf_counter(), -1
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if (runs := len(journal.left(folder))) != known:
                    since, known = perf_counter(), runs
                if perf_counter() - since > LOCK_SECONDS:
                    raise StoreError(f"{folder}: another process delivers this journal") from error
                sleep(0.1)
        yield _is(lock.fileno(), folder / ".lock")


def clear(folder: Path) -> None:
    """Remove a journal."""
    for file in folder.iterdir():
        file.unlink()
    # A waiting process may have created its lock again.
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def alone(name: str, folder: Path = Path(RUNS)) -> Iterator[None]:
    """A context in which no other command has the same name in the folder; it waits for one that has."""
    place = folder.absolute() / f".{name}.lock"
    place.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(place, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Its owner has removed it, and there may be a new one.
            if _is(lock.fileno(), place):
                try:
                    yield
                finally:
                    place.unlink(missing_ok=True)
                return


def _is(number: int, place: Path) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(number), place.stat())
    except FileNotFoundError:
        return False
