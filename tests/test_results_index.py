"""The local index: a second read asks only for what changed, and says the same as a first one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnexp import results
from nnexp.results import client, index
from nnexp.tracking.connections import close
from nnexp.tracking.files import history_table, write
from nnexp.tracking.mlflow_store import Store
from nnexp.training import History
from nnexp.training.record import COLUMNS

FOLDER = "index"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'runs' / 'mlflow.db'}"


@pytest.fixture
def store(uri: str, request: pytest.FixtureRequest) -> Store:
    """A store whose experiment is this test's own."""
    return Store.open(uri, request.node.name)


def runs_of(store: Store, **choice: str) -> pd.DataFrame:
    return results.load_runs(store.uri, store.experiment, **choice)


def index_of(store: Store) -> Path:
    return Path(store.uri.removeprefix("sqlite:///")).parent / FOLDER


def history(points: int = 4, loss: float = 1.0) -> History:
    iteration = np.arange(points)
    fall = loss / (1 + iteration)
    held_out = (fall + 0.1, 0.9 - fall / 2)
    counts = iteration, 3 * iteration, 0.1 * iteration
    return History(zip(COLUMNS, (*counts, fall, 1 - fall / 2, *held_out, *held_out), strict=True))


def record(
    store: Store,
    place: Path,
    seed: int,
    status: str | None = "FINISHED",
    files: bool = True,
    started: int | None = None,
) -> str:
    params = {"seed": str(seed), "optimizer.name": "sgd", "optimizer.batch_size": "64"}
    params |= {"dataset.samples": "50", "dataset.classes": "3"}
    tags = {"nnexp.kind": "run", "nnexp.sweep_id": "one"}
    run = store.start(f"sgd-{seed}", params, tags, started=started)
    run.record(rows=history())
    if files:
        write(place, {"history.parquet": history_table(history())})
        run.log_artifacts(place)
    if status is not None:
        run.finish(status, {"nnexp.status": status.lower()}, ended=None if started is None else started + 1)
    return run.run_id


def fresh(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a reader without an index sees; the index is as before afterwards."""
    index_of(store).rename(index_of(store).with_name("aside"))
    runs = runs_of(store)
    rows = results.load_history(runs)
    shutil.rmtree(index_of(store))
    index_of(store).with_name("aside").rename(index_of(store))
    return runs, rows


def same_as_fresh(store: Store) -> pd.DataFrame:
    runs = runs_of(store)
    rows = results.load_history(runs)
    again, again_rows = fresh(store)
    pd.testing.assert_frame_equal(runs, again)
    pd.testing.assert_frame_equal(rows, again_rows)
    return runs


def test_what_changed_since_is_seen(store, tmp_path):
    finished = record(store, tmp_path / "a", 0)
    running = record(store, tmp_path / "b", 1, status=None, files=False)
    assert same_as_fresh(store)["status"].tolist() == ["finished", "running"]
    store.client.log_metric(running, "loss", 0.125, step=9)
    runs = same_as_fresh(store)
    assert runs["loss"].tolist() == [0.25, 0.125]
    store.client.set_tag(running, "nnexp.status", "killed")
    store.client.set_terminated(running, "KILLED")
    third = record(store, tmp_path / "c", 2)
    runs = same_as_fresh(store)
    assert runs["run_id"].tolist() == [finished, running, third]
    assert runs["status"].tolist() == ["finished", "killed", "finished"]


def test_runs_of_a_sweep_that_are_recorded_late_are_seen(store, tmp_path):
    parent = store.start_parent("sweep one", {}, {"nnexp.sweep_id": "one"})
    record(store, tmp_path / "a", 0)
    same_as_fresh(store)
    long_ago = 1_700_000_000_000
    record(store, tmp_path / "b", 1, started=long_ago)
    assert len(same_as_fresh(store)) == 2
    record(store, tmp_path / "c", 2, started=long_ago)
    parent.finish("FINISHED")
    assert len(same_as_fresh(store)) == 3
    store.resume_parent(parent.run_id, "token")
    record(store, tmp_path / "d", 3, started=long_ago)
    assert len(same_as_fresh(store)) == 4


def test_deleted_runs_go_and_restored_ones_come_back(store, tmp_path):
    names = [record(store, tmp_path / str(seed), seed) for seed in range(3)]
    results.load_history(runs_of(store))
    store.client.delete_run(names[1])
    assert runs_of(store)["run_id"].tolist() == [names[0], names[2]]
    assert len(results.load_history(runs_of(store))) == 8
    store.client.restore_run(names[1])
    assert same_as_fresh(store)["run_id"].tolist() == names


def test_a_store_made_anew_at_the_same_place_is_another(tmp_path):
    folder = tmp_path / "again"
    for name in ("first", "second"):
        # The experiment is made with the same id, at another moment.
        made = Store.open(f"sqlite:///{folder}/mlflow.db", "nnexp")
        made.start(name, {"seed": "0"}, {"nnexp.kind": "run"}).finish("FINISHED")
        assert results.load_runs(made.uri)["name"].tolist() == [name]
        # MLflow keeps a file open until then.
        close()
        for file in folder.glob("mlflow.db*"):
            file.unlink()


def test_ended_histories_are_read_once(store, tmp_path):
    name = record(store, tmp_path / "a", 0)
    first = results.load_history(runs_of(store))
    runs = runs_of(store)
    shutil.rmtree(runs["artifact_uri"].iloc[0].removeprefix("file://"))
    pd.testing.assert_frame_equal(results.load_history(runs), first)
    assert first["run_id"].unique().tolist() == [name]


def test_a_spoilt_index_is_made_again(store, tmp_path):
    record(store, tmp_path / "a", 0)
    runs = same_as_fresh(store)
    rows = results.load_history(runs)
    for file in index_of(store).iterdir():
        file.write_bytes(b"PAR1 half a file")
    again = runs_of(store)
    pd.testing.assert_frame_equal(again, runs)
    pd.testing.assert_frame_equal(results.load_history(again), rows)


def test_a_run_that_died_before_writing_is_read_from_its_metrics(store, tmp_path):
    record(store, tmp_path / "a", 0, files=False, status="FAILED")
    rows = results.load_history(runs_of(store))
    np.testing.assert_allclose(rows["loss"], history().loss)
    np.testing.assert_array_equal(rows["iteration"], history().iteration)


def test_a_run_that_died_before_measuring_has_no_rows(store, tmp_path):
    run = store.start("early", {"seed": "0", "optimizer.name": "sgd"}, {"nnexp.kind": "run"})
    run.finish("FAILED", {"nnexp.status": "failed", "nnexp.reason": "ValueError: no"})
    runs = runs_of(store)
    assert runs[["status", "reason"]].to_numpy().tolist() == [["failed", "ValueError: no"]]
    for _ in range(2):
        assert results.load_history(runs).empty


def test_conditions_are_those_of_mlflow(store, tmp_path):
    for seed in range(3):
        record(store, tmp_path / str(seed), seed)
    assert runs_of(store, filter="params.seed = '1'")["seed"].tolist() == [1]
    chosen = runs_of(store, sweep="latest", filter="metrics.loss < 0.3")
    assert chosen["seed"].tolist() == [0, 1, 2]


def test_epochs_count_the_short_last_batch(store, tmp_path):
    record(store, tmp_path / "a", 0)
    rows = results.load_history(runs_of(store))
    # 150 samples in batches of 64 are three updates an epoch.
    np.testing.assert_allclose(rows["epochs"], rows["iteration"] / 3)


def test_only_what_is_not_known_as_finished_is_asked_for_again(store, tmp_path, monkeypatch):
    given: list[str] = []

    def counted(*args: Any, **options: Any) -> Iterator[Any]:
        for run in client.search(*args, **options):
            given.append(run.info.run_name)
            yield run

    monkeypatch.setattr(index, "search", counted)
    parent = store.start_parent("sweep one", {}, {"nnexp.sweep_id": "one"})
    for seed in range(3):
        record(store, tmp_path / str(seed), seed)
    failed = record(store, tmp_path / "d", 3, status="FAILED")
    parent.finish("FINISHED")
    runs_of(store)
    assert sorted(given) == ["sgd-0", "sgd-1", "sgd-2", "sgd-3", "sweep one"]
    given.clear()
    runs_of(store)
    assert set(given) == {"sgd-3", "sweep one"}
    # Within the same minute the sweep goes on and ends.
    store.resume_parent(parent.run_id, "token")
    store.client.update_run(failed, status="RUNNING")
    store.run(failed).finish("FINISHED", {"nnexp.status": "finished"})
    record(store, tmp_path / "e", 4, started=1_700_000_000_000)
    parent.finish("FINISHED")
    given.clear()
    assert same_as_fresh(store)["status"].tolist() == ["finished"] * 5
