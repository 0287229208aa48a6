"""A command's process ends without a last look through all objects, and still leaves its files in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nnexp.process import Output

PROGRAM = """
import sys
from nnexp.process import leave
from nnexp.tracking.mlflow_store import Store

def main():
    run = Store.open(sys.argv[1], "nnexp").start("one", {"a": "1"}, {})
    run.finish("FINISHED")
    print("done")
    return int(sys.argv[2])

leave(main)
"""


def test_a_command_that_leaves_has_closed_its_store(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path}/mlflow.db", "3"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (3, "done\n", "")
    # The log of a file that nobody has open is in the file.
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}


def test_a_command_that_is_interrupted_while_it_loads_says_nothing() -> None:
    program = "from nnexp.process import leave\ndef main(): raise KeyboardInterrupt\nleave(main)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_output_whose_disk_is_full_falls_silent() -> None:
    with open("/dev/full", "w") as full:
        output = Output(full)
        output.write("more than nothing\n")
        output.flush()
        output.write("again\n")
        output.flush()
