"""A store is there as a whole or not at all, whatever ends the process that makes it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = "import sys; from nnexp.tracking.mlflow_store import Store; Store.open(sys.argv[1], 'nnexp')"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_ended_while_it_makes_a_store_leaves_none_half_made(
    number: signal.Signals, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, uri], stderr=subprocess.DEVNULL) as process:
        part = tmp_path / ".mlflow.db.part"
        # MLflow makes its tables in some fifty steps of 10 to 20 ms each.
        while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
            time.sleep(0.002)
        process.send_signal(number)
    assert process.returncode != 0
    assert not (tmp_path / "mlflow.db").exists()
    done = subprocess.run([sys.executable, "-c", PROGRAM, uri], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"mlflow.db", "mlflow.db.lock"}
