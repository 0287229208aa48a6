"""Connections that MLflow keeps to SQLite files, closed before the process ends."""

from __future__ import annotations

import atexit
from typing import Any
from weakref import WeakSet

from sqlalchemy import Engine, event

_ENGINES: WeakSet[Engine] = WeakSet()


def close_at_exit() -> None:
    """From now on, close what is open when the process ends.

    The last one that closes a file with a write-ahead log takes the log along; Python itself may end without.
    """
    if not event.contains(Engine, "engine_connect", _seen):
        event.listen(Engine, "engine_connect", _seen)
        atexit.register(close)


def close() -> None:
    """Close the connections to SQLite files that are open and not in use."""
    for engine in list(_ENGINES):
        if engine.dialect.name == "sqlite":
            engine.dispose()


def _seen(connection: Any) -> None:
    _ENGINES.add(connection.engine)
