"""A store is there as a whole or not at all, whatever ends the process that makes it; what kind of file it is."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from nnexp.tracking.locations import on_local_disk
from nnexp.tracking.mlflow_store import Store

PROGRAM = "import sys; from nnexp.tracking.mlflow_store import Store; Store.open(sys.argv[1], 'nnexp')"


HALF = """
import sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
tables = 0

@event.listens_for(Engine, "after_cursor_execute")
def wait(connection, cursor, statement, *_):
    global tables
    tables += "CREATE TABLE" in statement
    if tables == 10:
        print("ten tables", flush=True)
        sys.stdin.read()
"""
"""Of some fifty steps."""


def test_a_process_that_is_ended_while_it_makes_a_store_leaves_none_half_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for number in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(
            [sys.executable, "-c", HALF + PROGRAM, uri], stdin=-1, stdout=-1, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ten tables\n"
            assert (tmp_path / ".mlflow.db.part").exists()
            # It is made anew, so it waits for no journal on the disk.
            assert not (tmp_path / ".mlflow.db.part-journal").exists()
            process.send_signal(number)
            process.wait(90)
        assert process.returncode != 0
        assert not (tmp_path / "mlflow.db").exists()
    done = subprocess.run([sys.executable, "-c", PROGRAM, uri], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_a_new_store_lets_readers_and_the_writer_alone_where_its_disk_can(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    Store.open(f"sqlite:///{file}", "nnexp")
    with closing(sqlite3.connect(file)) as connection:
        ((mode,),) = connection.execute("PRAGMA journal_mode").fetchall()
    assert mode == ("wal" if on_local_disk(file) else "delete")


def test_only_disks_of_this_machine_are_taken_for_local(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        "40 21 0:45 / /home rw shared:9 - nfs4 server:/home rw\n"
        "41 40 8:1 / /home/big\\040disk rw - xfs /dev/sda1 rw\n"
    )
    for place, local in (
        ("/data/runs/mlflow.db", True),
        ("/home/a/runs/mlflow.db", False),
        ("/home2/runs/mlflow.db", True),
        ("/home/big disk/runs/mlflow.db", True),
    ):
        assert on_local_disk(Path(place), mounts) is local
    assert not on_local_disk(Path("/data/mlflow.db"), tmp_path / "missing")
