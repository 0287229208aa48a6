"""MLflow's connections to SQLite files: when they sync to disk, and their closing."""

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
"""The suffix of a file in creation: if the process dies or the power fails, it is created again."""

_ENGINES: WeakSet[Engine] = WeakSet()


def look_after() -> None:
    """Configure connections as they are made from now on, and close open ones when the process ends.

    The last connection that is closed removes the write-ahead log; Python may end without closing it.
    """
    if not event.contains(Engine, "engine_connect", _seen):
        event.listen(Engine, "engine_connect", _seen)
        event.listen(Engine, "connect", _made)
        atexit.register(close)


@cache
def alias(folder: Path) -> Path:
    """A symbolic link to a folder, without characters special in an address; removed at the end."""
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
    """Sync a file with a write-ahead log at its checkpoints, not at every commit.

    Nothing is lost when a process dies. After a power failure the last runs may be missing, as may their artifacts,
    which are not synced either. See https://www.sqlite.org/pragma.html#pragma_synchronous. A file in creation is not
    synced: MLflow commits three hundred times.
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
