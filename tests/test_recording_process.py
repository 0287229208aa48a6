"""The process that records a sweep: real ones, killed at every stage."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import (
    ENDLESS,
    LONG,
    SMALL,
    here,
    in_store,
    made_store,
    recorders,
    running,
    runs,
    start,
    wait_for,
)
from stores import new_store

from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.identity import code_hash, package_hash
from nnexp.sweep.recording import process as recording_process
from nnexp.sweep.recording.process import RecordingProcess
from nnexp.sweep.recording.recording import JournalParent, Recording
from nnexp.sweep.recording.spool import Spool
from nnexp.sweep.trial import Trial
from nnexp.sweep.worker import Task, train
from nnexp.tracking import journal
from nnexp.tracking.claim import CLAIM
from nnexp.tracking.journal import Beginning
from nnexp.tracking.locations import StoreError
from nnexp.tracking.recorder import Thinning


@pytest.fixture
def process() -> Iterator[RecordingProcess]:
    made = RecordingProcess()
    yield made
    made.close()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def parent_file(folder: Path, uri: str) -> None:
    """Begin a sweep's journal."""
    begin = Beginning("sweep", {"a": "1"}, {"nnexp.sweep_id": "one", CLAIM: "token"}, 1)
    said = {"uri": uri, "store": uri, "experiment": "nnexp", "begin": begin}
    journal.append(folder / journal.PARENT, [journal.framed("begin", b"", **said)])


def never() -> bool:
    return False


def opened(process: RecordingProcess, folder: Path, uri: str) -> bool:
    parent_file(folder, uri)
    if not uri.endswith("/proc/no.db"):
        new_store(Path(uri.removeprefix("sqlite:///")))
    process.begin(folder, "nnexp")
    return process.wait(lambda: process.parent is not None, never)


def recording_of(process: RecordingProcess, tmp_path: Path, uri: str) -> tuple[Recording, Trial]:
    (config,) = compose([["optimizer=sgd", f"tracking.uri={uri}"]])
    job = Trial(0, config, [], tmp_path / "0" / "run.log", code_hash(config))
    spool = Spool(tmp_path / "spool")
    spool.make()
    tags = {"nnexp.sweep_id": "one", journal.ENTRY: "token"}
    return Recording(process, tags, spool, 1, {}), job


def test_it_delivers_a_journal_and_closes_its_store(process: RecordingProcess, tmp_path: Path) -> None:
    folder, uri = tmp_path / "journal", f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert opened(process, folder, uri)
    recording, job = recording_of(process, tmp_path, uri)
    ((_, taken),) = recording.take_all([(job, RuntimeError("no worker"))])
    assert (taken.status, taken.run_id) == ("failed", "")
    recording.settle()
    (settled,) = recording.results().values()
    JournalParent(process, folder, never).finish("FINISHED")
    process.close()
    assert {file.name for file in (tmp_path / "runs").iterdir()} == {"mlflow.db", "mlflow.db.lock"}
    (parent,), (run,) = runs(tmp_path, "sweep"), runs(tmp_path)
    assert parent.info.status == "FINISHED"
    assert (run.info.run_id, run.info.status) == (settled.run_id, "FAILED")
    # Signs of life are those of the sweep's own process.
    assert parent.data.tags["nnexp.process"].endswith(f":{os.getpid()}")
    assert not folder.exists()


def test_a_job_whose_worker_was_lost_after_it_wrote_its_run_is_not_trained_again(
    process: RecordingProcess, tmp_path: Path
) -> None:
    folder, uri = tmp_path / "journal", f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert opened(process, folder, uri)
    recording, job = recording_of(process, tmp_path, uri)
    task = Task(
        pickle.dumps([job]), recording.tags, {}, 1, True, str(recording.spool.folder), package_hash(), None, (),
        os.getpid(),
    )  # fmt: skip
    # Its answer is lost, be the run in the journal alone or in the store already.
    (made,) = train(task).outcomes
    assert made is not None
    for delivered in (False, True):
        if delivered:
            process.call()
            wait_for(lambda: process.recorded)
        (again,) = train(task).outcomes
        assert again is not None
        assert (again.status, again.started, again.ended) == ("finished", made.started, made.ended)
        assert again.kept
    list(recording.take_all([(job, again)]))
    JournalParent(process, folder, never).finish("FINISHED")
    (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"


def test_a_store_that_cannot_be_opened_is_said(process: RecordingProcess, tmp_path: Path) -> None:
    assert not opened(process, tmp_path / "journal", "sqlite:////proc/no.db")
    assert isinstance(process.error, StoreError)
    assert "tracking.uri=sqlite:////proc/no.db: expected an SQLite file" in str(process.error)
    recording, _ = recording_of(process, tmp_path, "sqlite:////proc/no.db")
    assert recording.stopped, "training would be in vain"


def test_what_it_logs_is_logged_here(
    process: RecordingProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert opened(process, tmp_path / "journal", uri)
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        store.execute("alter table metrics rename to gone")
        store.execute("alter table runs rename to gone_too")
    recording, job = recording_of(process, tmp_path, uri)
    list(recording.take_all([(job, RuntimeError("no worker"))]))
    recording.settle()
    (result,) = recording.results().values()
    assert result.status == "failed"
    assert result.reason.startswith("not recorded (MlflowException: ")
    assert result.reason.endswith(f"its files are in {tmp_path}/journal/000000.run")
    said = [record.getMessage() for record in caplog.records if record.name == "nnexp.tracking.deliver"]
    tries = [text for text in said if text.startswith("000000.run could not be recorded")]
    assert len(tries) == 3
    assert all("no such table: runs" in text for text in said)


def test_one_that_is_killed_is_started_again(process: RecordingProcess, tmp_path: Path) -> None:
    os.kill(recorders(os.getpid())[0], signal.SIGKILL)
    assert opened(process, tmp_path / "journal", f"sqlite:///{tmp_path}/mlflow.db")
    (recorder,) = recorders(os.getpid())
    os.kill(recorder, signal.SIGKILL)
    JournalParent(process, tmp_path / "journal", never).finish("FINISHED")
    assert process.ended


def test_a_beginning_that_is_interrupted_is_made_up_for(
    process: RecordingProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.call()
    new_store(tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    parent_file(tmp_path / "journal", uri)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recording_process, "credentials", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.begin(tmp_path / "journal", "nnexp")
    assert process.wait(lambda: process.parent is not None, lambda: True)


def test_it_ignores_signals_and_ends_with_its_sweep(tmp_path: Path) -> None:
    made_store(tmp_path)
    sweep = start(tmp_path, "-m", "optimizer=random", "seed=0,1", *ENDLESS)
    wait_for(lambda: running(tmp_path))
    (recorder,) = recorders(sweep.pid)
    os.kill(recorder, signal.SIGINT)
    os.kill(recorder, signal.SIGTERM)
    time.sleep(0.5)
    assert alive(recorder)
    sweep.kill()
    sweep.communicate()
    wait_for(lambda: not alive(recorder), 5)


def finished(place: Path, jobs: int) -> None:
    """Every run is there once, whole, and below one parent that has ended."""
    found = runs(place)
    assert [run.data.tags["nnexp.job"] for run in found] == [str(number) for number in range(jobs)]
    assert {run.info.status for run in found} == {"FINISHED"}
    (parent,) = runs(place, "sweep")
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in found} == {parent.info.run_id}
    for run in found:
        folder = Path(run.info.artifact_uri.removeprefix("file://"))
        assert (folder / "history.parquet").is_file()
        assert run.data.params["optimizer.name"] == run.data.tags["nnexp.method"]
        query = (
            f"select step from metrics where run_uuid = '{run.info.run_id}' and key = 'loss' order by step"
        )
        frame = pd.read_parquet(folder / "history.parquet")
        marks = Thinning(10).select(dict(frame.items()), last=True)
        assert marks is not None
        assert [step for (step,) in in_store(place, query)] == marks.iteration.tolist()
    assert not in_store(place, "select 1 from runs where lifecycle_stage = 'deleted'")


def recorded(place: Path) -> list[Any]:
    return in_store(place, "select 1 from runs where status = 'FINISHED'")


# By two a batch, the first of three is where a kill finds runs RUNNING.
SHORT = (*SMALL, "seed=0", "hydra.launcher.n_jobs=1")
FOUR = (*LONG, "seed=0,1", "hydra.launcher.n_jobs=2")
SIX = (*FOUR, "seed=0,1,2")
OFTEN = "in the first of three batches, while runs are RUNNING"
RARE = (OFTEN, "importing")
"""As the others, for the whole of a sweep: not in each run of the tests."""
MOMENTS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "importing": (lambda place: True, SHORT),
    "opening": (lambda place: (place / "runs" / "mlflow.db.lock").exists(), SHORT),
    OFTEN: (
        running,
        (*SIX, "hydra.sweeper.max_batch_size=2"),
    ),
    "between runs": (recorded, FOUR),
}


@pytest.mark.parametrize(
    "moment", [pytest.param(one, marks=[pytest.mark.soak] if one in RARE else []) for one in MOMENTS]
)
def test_a_sweep_whose_recorder_is_killed_records_each_run_once(tmp_path: Path, moment: str) -> None:
    reached, settings = MOMENTS[moment]
    if moment != "opening":
        made_store(tmp_path)
    sweep = start(tmp_path, "-m", "optimizer=random,perturb", *settings)
    wait_for(lambda: recorders(sweep.pid) and reached(tmp_path))
    os.kill(recorders(sweep.pid)[0], signal.SIGKILL)
    out, error = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, out + error
    finished(tmp_path, {SHORT: 2, FOUR: 4}.get(settings, 6))
    (log,) = (tmp_path / "runs" / "hydra").glob("*/*/sweep.log")
    # The log begins with the first batch.
    assert "the recording process has ended (exit code -9) and is restarted" in error + log.read_text()


def test_a_sweep_goes_on_without_its_recorder_and_ends_its_runs_when_it_is_stopped(tmp_path: Path) -> None:
    made_store(tmp_path)
    arguments = ("-m", "optimizer=random", "seed=0,1", *LONG, "budget.evaluations=200000")
    sweep = start(tmp_path, *arguments, "hydra.launcher.n_jobs=2")
    wait_for(lambda: running(tmp_path))
    rows = "select count(*) from metrics"
    beat = "select max(cast(value as integer)) from tags where key = 'nnexp.heartbeat'"
    # Signs of life are whole seconds.
    wait_for(lambda: time.time() > in_store(tmp_path, beat)[0][0] + 0.5)
    os.kill(recorders(sweep.pid)[0], signal.SIGKILL)
    wait_for(lambda: not recorders(sweep.pid))
    killed, before = time.time(), in_store(tmp_path, rows)
    wait_for(lambda: in_store(tmp_path, beat)[0][0] > killed and in_store(tmp_path, rows) > before)
    # Once more, and stopped at the same moment.
    os.kill(recorders(sweep.pid)[0], signal.SIGKILL)
    sweep.send_signal(signal.SIGTERM)
    out, error = sweep.communicate(timeout=120)
    assert sweep.returncode == 143, out + error
    assert "Traceback" not in out + error
    assert re.search(r"^random +[01] .* killed ", out, re.MULTILINE)
    assert {run.info.status for run in [*runs(tmp_path), *runs(tmp_path, "sweep")]} == {"KILLED"}
    assert runs(tmp_path)[0].data.metrics["loss"] > 0
    again = here(tmp_path, *arguments, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 2


def test_a_sweep_resumed_by_a_config_file_is_recorded_whole(tmp_path: Path) -> None:
    sweep = ("-m", "optimizer=sgd", *SMALL)
    assert here(tmp_path, *sweep, "seed=0").returncode == 0
    (parent,) = runs(tmp_path, "sweep")
    (tmp_path / "own" / "sweep").mkdir(parents=True)
    again = f"defaults:\n  - default\nresume: {parent.data.tags['nnexp.sweep_id']}\n"
    (tmp_path / "own" / "sweep" / "again.yaml").write_text(again)
    done = here(tmp_path, "--config-dir", "own", *sweep, "seed=0,1", "sweep=again")
    assert done.returncode == 0, done.stdout + done.stderr
    finished(tmp_path, 2)


def test_an_interrupted_sweep_does_not_wait_for_one_that_hangs(
    process: RecordingProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_process, "HURRY_SECONDS", 0.5)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert opened(process, tmp_path / "journal", uri)
    (recorder,) = recorders(os.getpid())
    os.kill(recorder, signal.SIGSTOP)
    recording, job = recording_of(process, tmp_path, uri)
    list(recording.take_all([(job, RuntimeError("no worker"))]))
    recording.spool.stop()
    recording.settle()
    (result,) = recording.results().values()
    assert result.reason.startswith("not recorded (the store did not answer); its files are in ")
    process.close()
    assert not alive(recorder)
    assert [file.name for file in journal.left(tmp_path / "journal")] == ["000000.run"]


def test_bad_input_leaves_no_process_behind(tmp_path: Path) -> None:
    sweep = start(tmp_path, "-m", "optimizer=nothing")
    wait_for(lambda: recorders(sweep.pid))
    left = recorders(sweep.pid)
    _, error = sweep.communicate(timeout=60)
    assert sweep.returncode == 2
    assert len(error.splitlines()) == 1
    assert left
    assert not any(alive(pid) for pid in left)
