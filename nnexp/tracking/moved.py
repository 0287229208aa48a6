"""A results folder that was moved or copied: the addresses of files in its SQLite file follow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from nnexp.tracking.locations import local_folder

ADDRESSES = (("runs", "artifact_uri"), ("logged_models", "artifact_location"))
"""Tables and columns of MLflow's database with absolute addresses, which MLflow itself never changes."""


def follow_move(file: Path, root: Path, recorded: str) -> None:
    """Change addresses below ``recorded`` to ``root``, where the files are that were moved with the SQLite file.

    Else new files would go to the old place, and a sweep that is continued would miss the finished runs' files.

    Args:
        root: the folder of artifacts next to the file.
        recorded: the address of the experiment's folder of artifacts.
    """
    old, before, new = local_folder(recorded), recorded.rstrip("/"), root.as_uri()
    # A folder of another name was chosen by the user.
    if old is None or old.name != root.name or not root.is_dir() or (old.exists() and old.samefile(root)):
        return
    with closing(sqlite3.connect(file, timeout=60)) as store, store:
        moved = 0
        for table, column in ADDRESSES:
            query = f"SELECT rowid, {column} FROM {table} WHERE substr({column}, 1, ?) = ?"
            found = store.execute(query, (len(before) + 1, before + "/")).fetchall()
            ends = [(number, address[len(before) :]) for number, address in found]
            there = [(new + end, number) for number, end in ends if (root / unquote(end[1:])).is_dir()]
            store.executemany(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", there)
            moved += len(there)
        if moved:
            change = "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?"
            store.execute(change, (new, recorded))
