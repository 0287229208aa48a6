"""A run outside sweeps: its journal, its end by an error, a signal or SIGKILL, and a store that does not answer."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import (
    ENDLESS,
    SMALL,
    here,
    in_store,
    made_store,
    recorders,
    running,
    runs,
    start,
    sync,
    wait_for,
)
from whole_runs import artifacts, assert_whole, config_of

from nnexp.config.schema import from_mapping
from nnexp.results import load_history, load_runs
from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.own_journal import OwnJournal
from nnexp.sweep.recording.spool import Spool
from nnexp.sweep.resume import recorded_config
from nnexp.sweep.resume_run import find_run
from nnexp.tracking import deliver, journal
from nnexp.tracking.journal import Beginning
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.protocol import milliseconds
from nnexp.training import train
from nnexp.training.group import Group

ROWS = ("tracking.points=null", "tracking.checkpoint_seconds=0.2")


def journals(place: Path) -> list[Path]:
    return list(place.rglob("journal"))


def rows_in(place: Path) -> int:
    """How many pieces of rows a run in training has written."""
    files = list(place.glob("runs/hydra/*/*/journal/0*.run"))
    return sum(record.kind == "rows" for file in files for record in journal.scan(file).records)


def test_an_error_is_a_failed_run_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = Group.blocks

    def blocks(self: Group) -> Any:
        for block in inner(self):
            yield block
            raise RuntimeError("the first line\nthe second")

    monkeypatch.setattr(Group, "blocks", blocks)
    done = here(tmp_path, *SMALL, "optimizer=sgd", "hydra.run.dir=runs/hydra/a/b")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "failed: RuntimeError: the first line" in done.stdout
    (run,) = runs(tmp_path)
    assert run.info.status == "FAILED"
    assert run.data.tags["nnexp.reason"] == "RuntimeError: the first line"
    assert "the second" in (tmp_path / "runs/hydra/a/b/run.log").read_text()
    assert not journals(tmp_path)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_as_killed_with_what_it_reached(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = start(tmp_path, *ENDLESS, *ROWS)
    wait_for(lambda: running(tmp_path))
    process.send_signal(number)
    out, error = process.communicate(timeout=90)
    assert process.returncode == code, out + error
    (run,) = runs(tmp_path)
    assert run.info.status == "KILLED"
    assert f"resume={run.info.run_id}" in out
    table = load_runs(f"sqlite:///{tmp_path}/runs/mlflow.db")
    history = load_history(table)
    assert len(history) > 1
    points = in_store(tmp_path, "select step from metrics where key = 'loss'")
    assert sorted(step for (step,) in points) == history["iteration"].tolist()
    with_files = {file.name for file in artifacts(run).iterdir()}
    assert {"history.parquet", "weights.npz", "config.yaml"} <= with_files
    assert not journals(tmp_path)


def test_a_run_that_ends_at_once_is_killed_and_keeps_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*SMALL, "optimizer=sgd", "budget.iterations=20000", "tracking.checkpoint_seconds=0.001")
    inner = Group.blocks

    def blocks(self: Group) -> Any:
        # As a second signal does; the first one would stop training between two blocks.
        for block in inner(self):
            yield block
            if list(tmp_path.rglob("checkpoints/*.npz")):
                raise KeyboardInterrupt

    def make(self: Spool) -> None:
        raise KeyboardInterrupt

    for place, name, interrupted in ((Spool, "make", make), (Group, "blocks", blocks)):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, interrupted)
            done = here(tmp_path, *words)
        assert done.returncode == 130
        assert "resume=latest" in done.stdout
        assert "Not recorded" not in done.stdout
        assert runs(tmp_path)[-1].info.status == "KILLED"
        assert not [*journals(tmp_path), *tmp_path.rglob("spool")]
    done = here(tmp_path, *words, "resume=latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"the run continues from iteration [\d,]+", done.stdout)


def test_a_run_whose_processes_are_killed_is_delivered_once_and_gone_on_with(tmp_path: Path) -> None:
    made_store(tmp_path)
    words = ("optimizer=sgd", "budget.iterations=100000", *SMALL[1:], *ROWS, "tracking.flush_seconds=0.1")
    process = start(tmp_path, *words)
    wait_for(lambda: running(tmp_path))
    # The store no longer takes anything, as if its server were gone.
    (recorder,) = recorders(process.pid)
    os.kill(recorder, signal.SIGSTOP)
    before = rows_in(tmp_path)
    wait_for(lambda: rows_in(tmp_path) > before + 3 and list(tmp_path.rglob("*.so_far")))
    process.kill()
    os.kill(recorder, signal.SIGKILL)
    process.communicate()
    (file,) = tmp_path.rglob("000000.run")
    written = journal.read(file).made.rows["iteration"].tolist()
    assert "runs: 1 runs recorded" in sync(tmp_path).stdout
    assert "runs: 0 runs recorded" in sync(tmp_path).stdout
    assert not journals(tmp_path)
    (left,) = runs(tmp_path)
    assert left.info.status == "KILLED"
    assert left.data.tags["nnexp.iterations"] == str(written[-1])
    points = in_store(tmp_path, "select step from metrics where key = 'loss'")
    assert sorted(step for (step,) in points) == written
    # Rows later than the checkpoint's, too.
    assert load_history(load_runs(f"sqlite:///{tmp_path}/runs/mlflow.db"))["iteration"].tolist() == written
    assert {"history.parquet", "weights.npz", "config.yaml"} <= {
        file.name for file in artifacts(left).iterdir()
    }
    done = here(tmp_path, *words, "resume=latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"the run continues from iteration [\d,]+", done.stdout)
    (run,) = runs(tmp_path)
    (whole,) = train(from_mapping(config_of(run)))
    assert_whole(tmp_path, run, whole)
    assert not list(tmp_path.rglob("checkpoints"))


def test_a_run_in_training_belongs_to_its_process(tmp_path: Path) -> None:
    process = start(tmp_path, *ENDLESS)
    try:
        wait_for(lambda: running(tmp_path))
        done = sync(tmp_path)
        assert done.returncode == 1
        assert re.search(rf"/journal: \S+:{process.pid} still works on its run", done.stderr)
        (own,) = journals(tmp_path)
        done = here(tmp_path, *SMALL, f"hydra.run.dir={own.parent}")
        assert done.returncode == 2
        assert f"hydra.run.dir={own.parent}: another command still works in it" in done.stderr
        other = here(tmp_path, *SMALL)
        assert other.returncode == 0, other.stderr
        assert "earlier commands" not in other.stdout
    finally:
        process.kill()
        process.communicate()
    assert "1 run of earlier commands recorded" in here(tmp_path, *SMALL).stdout
    assert sorted(run.info.status for run in runs(tmp_path)) == ["FINISHED", "FINISHED", "KILLED"]


def test_of_two_commands_that_continue_a_run_at_once_one_does(tmp_path: Path) -> None:
    words = ("optimizer=sgd", *SMALL)
    assert here(tmp_path, *words, "tracking.keep_state=true").returncode == 0
    (first,) = runs(tmp_path)
    (config,) = compose([words])
    other, folder = OwnJournal(), tmp_path / "runs" / "hydra" / "a" / "b" / "journal"
    tags = {"nnexp.config_hash": first.data.tags["nnexp.config_hash"], "nnexp.resumes": first.info.run_id}
    uri = f"sqlite:///{tmp_path}/runs/mlflow.db"
    at = replace(config, tracking=replace(config.tracking, uri=uri))
    # What the other one has not told its store yet.
    other.begin(folder, at, Beginning("run", {}, tags, milliseconds()))
    for wanted in ("latest", first.info.run_id):
        done = here(tmp_path, *words, "tracking.keep_state=true", f"resume={wanted}")
        assert done.returncode == 2, done.stdout
        assert re.search(
            rf"resume={wanted}: expected a run that has ended; \S+:{os.getpid()} still works on it",
            done.stderr,
        )
    other.close()
    store = Store.open(uri, "nnexp")
    # What another one that was killed just after its run was recorded has not replaced.
    left = store.start(
        first.info.run_name, first.data.params, {**first.data.tags, "nnexp.status": "killed"}, started=1
    )
    left.finish("KILLED")
    store.client.set_tag(first.info.run_id, "nnexp.resumes", left.run_id)
    done = here(tmp_path, *words, "tracking.keep_state=true", "resume=latest")
    assert "is already recorded and has finished" in done.stdout, done.stderr
    assert [run.info.run_id for run in runs(tmp_path)] == [first.info.run_id]


def test_a_suspended_process_whose_run_another_one_continues_records_no_more_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("optimizer=sgd", "budget.iterations=null", "budget.seconds=100", *SMALL[1:], *ROWS)
    inner, store, found = Group.blocks, f"sqlite:///{tmp_path}/runs/mlflow.db", list[str]()

    def blocks(self: Group) -> Any:
        for block in inner(self):
            yield block
            if not found and (known := running(tmp_path)):
                found.append(known[0][0])
                other = Store.open(store, "nnexp")
                (run,) = other.search("")
                # Its process was suspended for long, and another one resumes the run.
                other.client.set_tag(found[0], "nnexp.heartbeat", "0")
                config = replace(recorded_config(run.data.params), resume="latest")
                assert find_run(other, config, "").before[0].info.run_id == found[0]
                # So the next look at the journal records a heartbeat.
                monkeypatch.setattr(deliver, "HEARTBEAT_SECONDS", 0.0)

    monkeypatch.setattr(Group, "blocks", blocks)
    done = here(tmp_path, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"nnexp: run {found[0]}: \S+ has continued it; this command ends", done.stderr)
    assert not journals(tmp_path)
    assert [run.info.status for run in runs(tmp_path)] == ["KILLED"]


def test_a_store_that_the_recorder_cannot_open_ends_the_command(tmp_path: Path) -> None:
    made_store(tmp_path)
    store = Store.open(f"sqlite:///{tmp_path}/runs/mlflow.db", "nnexp")
    store.client.delete_experiment(store.experiment_id)
    for words in ((), ("-m", "hydra/launcher=basic", "seed=0,1")):
        done = here(tmp_path, *SMALL, "optimizer=sgd", *words)
        assert done.returncode == 2
        assert re.search(
            "nnexp: tracking.experiment=nnexp: the experiment was deleted in MLflow", done.stderr
        )


def test_jobs_that_are_trained_one_by_one_do_not_wait_for_the_store(tmp_path: Path) -> None:
    process = start(tmp_path, "-m", "hydra/launcher=basic", "seed=0,1", *SMALL, "optimizer=sgd")
    wait_for(lambda: recorders(process.pid))
    (recorder,) = recorders(process.pid)
    os.kill(recorder, signal.SIGSTOP)
    files = "runs/hydra/*/*/journal/0*.run"
    # Sooner than a command gives its store up.
    wait_for(lambda: sum(map(journal.has_ended, tmp_path.glob(files))) == 2, 50)
    os.kill(recorder, signal.SIGCONT)
    out, error = process.communicate(timeout=90)
    assert process.returncode == 0, out + error
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 2
    assert [run.info.run_id[:8] in out for run in runs(tmp_path)] == [True] * 2
