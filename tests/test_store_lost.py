"""A store that is taken away under a running sweep: what was trained is kept, said, and brought in later."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import LONG, SMALL, here, in_store, made_store, recorders, runs, start, sync, wait_for

from nnexp.tracking.connections import close
from nnexp.tracking.journal import has_ended
from nnexp.tracking.locations import StoreLost
from nnexp.tracking.mlflow_store import Store

SWEEP = ("-m", "optimizer=random", "seed=range(0,3)", *LONG, "hydra.launcher.n_jobs=1")


def deleted(place: Path) -> None:
    for file in (place / "runs").glob("mlflow.db*"):
        file.unlink()
    # Nor may this process go on with a file that has no name.
    close()


def renamed(place: Path) -> None:
    (place / "runs" / "mlflow.db").rename(place / "runs" / "other.db")
    close()


def replaced(place: Path) -> None:
    deleted(place)
    shutil.copy(place / "empty.db", place / "runs" / "mlflow.db")


def ended(sweep: subprocess.Popen[str]) -> str:
    out, error = sweep.communicate(timeout=180)
    assert sweep.returncode == 1, out + error
    assert "Traceback" not in out + error
    return out


@pytest.mark.parametrize("change", [deleted, renamed, replaced])
def test_a_store_that_is_not_what_was_opened_is_lost(tmp_path: Path, change: Callable[[Path], None]) -> None:
    made_store(tmp_path)
    shutil.copy(tmp_path / "runs" / "mlflow.db", tmp_path / "empty.db")
    store = Store.open(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", "nnexp")
    store.check()
    change(tmp_path)
    with pytest.raises(StoreLost, match="the file was deleted or replaced while the command was running"):
        store.check()


@pytest.mark.parametrize(
    "change",
    [pytest.param(deleted, marks=pytest.mark.soak), pytest.param(renamed, marks=pytest.mark.soak), replaced],
)
def test_what_was_trained_for_a_store_that_is_gone_is_kept_and_brought_in_once(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    made_store(tmp_path)
    close()
    shutil.copy(tmp_path / "runs" / "mlflow.db", tmp_path / "empty.db")
    sweep = start(tmp_path, *SWEEP)
    wait_for(lambda: in_store(tmp_path, "select 1 from runs where status = 'FINISHED'"))
    change(tmp_path)
    out = ended(sweep)
    (command,) = re.findall(r"Not recorded: 3 runs\. To record them: python -m nnexp\.sync (.+)", out)
    brought = sync(tmp_path, *command.split())
    assert brought.returncode == 0, brought.stderr
    assert brought.stdout.endswith(": 3 runs recorded, 0 were recorded before\n")
    found, (parent,) = runs(tmp_path), runs(tmp_path, "sweep")
    assert [run.data.params["seed"] for run in found] == ["0", "1", "2"]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}
    for run in found:
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        assert (folder / "history.parquet").is_file()
        assert run.data.metrics["evaluations"] == 20000
    again = sync(tmp_path, *command.split())
    # Its folder was removed with the last entry.
    assert again.returncode == 2
    assert again.stderr.endswith("/journal: there is no such folder\n")
    # The sweep is whole, and its next start finds all of it.
    resumed = here(tmp_path, *SWEEP, "sweep.resume=true")
    assert "3 runs are recorded and skipped" in resumed.stdout, resumed.stdout + resumed.stderr
    assert len(runs(tmp_path)) == 3


def test_what_ended_before_a_sweep_was_killed_is_there_when_it_is_resumed(tmp_path: Path) -> None:
    made_store(tmp_path)
    sweep = start(tmp_path, *SWEEP)
    wait_for(lambda: in_store(tmp_path, "select 1 from runs where status = 'FINISHED'"))
    (recorder,) = recorders(sweep.pid)
    os.kill(recorder, signal.SIGSTOP)
    waiting = "runs/hydra/*/*/journal/000001.run"
    wait_for(lambda: any(has_ended(file) for file in tmp_path.glob(waiting)))
    sweep.kill()
    os.kill(recorder, signal.SIGKILL)
    sweep.communicate()
    resumed = here(tmp_path, *SWEEP, "sweep.resume=true")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    found = runs(tmp_path)
    assert [run.data.tags["nnexp.job"] for run in found] == ["0", "1", "2"]
    assert {run.info.status for run in found} == {"FINISHED"}
    assert re.search("[23] runs are recorded and skipped", resumed.stdout), resumed.stdout
    assert not list(tmp_path.glob("runs/hydra/*/*/journal"))


def test_a_recorded_sweep_leaves_no_journal(tmp_path: Path) -> None:
    assert here(tmp_path, "-m", "seed=0,1", *SMALL).returncode == 0
    assert not list(tmp_path.rglob("journal"))


def test_a_store_that_refuses_a_request_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nnexp.replay.__main__ import main as replay

    made_store(tmp_path)
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    with contextlib.closing(sqlite3.connect(tmp_path / "runs" / "mlflow.db")) as store:
        store.execute("alter table runs rename column user_id to other")
    for words in (("resume=latest",), ("--end-stale",), ("-m", "seed=1", "sweep.resume=latest")):
        done = here(tmp_path, *words)
        assert done.returncode == 1, words
        assert re.search(
            r"nnexp: the store refused a request \(MlflowException: .*no such column", done.stderr
        )
        assert "Traceback" not in done.stderr
    assert replay(["--uri", uri]) == 1
    assert "nnexp.replay: the store refused a request (MlflowException" in capsys.readouterr().err
