"""Connections that MLflow makes to SQLite files: how they wait for the disk, and their end."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sqlite3
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event

PART = ".part"
"""The ending of a file's name that is being made: what is lost with the process, or the power, is made again."""

_ENGINES: WeakSet[Engine] = WeakSet()


def look_after() -> None:
    """From now on, look after connections as they are made, and close what is open when the process ends.

    The last one that closes a file with a write-ahead log takes the log along; Python itself may end without.
    """
    if not event.contains(Engine, "engine_connect", _seen):
        event.listen(Engine, "engine_connect", _seen)
        event.listen(Engine, "connect", _made)
        atexit.register(close)


@cache
def alias(folder: Path) -> Path:
    """Another name of a folder, a link without signs that mean something in an address; gone at the end."""
    place = Path(tempfile.mkdtemp(prefix="nnexp-"))
    link = place / "store"
    link.symlink_to(folder, target_is_directory=True)
    pid = os.getpid()

    def remove() -> None:
        if os.getpid() == pid:
            shutil.rmtree(place, ignore_errors=True)

    atexit.register(remove)
    return link


def close() -> None:
    """Close the connections to SQLite files that are open and not in use."""
    for engine in list(_ENGINES):
        if engine.dialect.name == "sqlite":
            engine.dispose()


def _seen(connection: Any) -> None:
    _ENGINES.add(connection.engine)


def _made(connection: Any, record: Any) -> None:
    """Let a file with a write-ahead log wait for the disk when the log is put into it, not at every commit.

    Nothing is lost when a process dies. A power failure may take the last runs out of the file; their artifacts,
    which are not waited for either, are then not there for the file to speak of. See
    https://www.sqlite.org/pragma.html#pragma_synchronous. A file that is being made waits for nothing: MLflow
    commits three hundred times.
    """
    if isinstance(connection, sqlite3.Connection):
        with contextlib.closing(connection.execute("PRAGMA database_list")) as cursor:
            file = str(cursor.fetchone()[2])
        with contextlib.closing(connection.execute("PRAGMA journal_mode")) as cursor:
            mode = cursor.fetchone()[0]
        if file.endswith(PART):
            connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY").close()
        elif mode == "wal":
            connection.execute("PRAGMA synchronous = NORMAL").close()
