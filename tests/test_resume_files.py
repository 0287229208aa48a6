"""A resumed sweep looks at what is there: files of finished runs, and runs of which only the beginning is."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from commands import SMALL, here, made_store, runs

from nnexp.results import load_runs
from nnexp.tracking.connections import close
from nnexp.tracking.mlflow_store import Store


def test_finished_runs_without_files_are_run_again_and_ghosts_go(tmp_path: Path) -> None:
    made_store(tmp_path)
    assert here(tmp_path, "-m", "seed=0,1,2,3", *SMALL).returncode == 0
    first, second, third, fourth = runs(tmp_path)
    shutil.rmtree(tmp_path / "runs" / "artifacts" / first.info.run_id)
    for run, name in ((third, "history.parquet"), (fourth, "weights.npz")):
        file = tmp_path / "runs" / "artifacts" / run.info.run_id / "artifacts" / name
        file.write_bytes(file.read_bytes()[:-1])
    store = Store.open(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", "nnexp")
    # Its process was killed after its successor was recorded, and before it was replaced.
    killed = store.start(
        second.info.run_name, second.data.params, {**second.data.tags, "nnexp.status": "killed"}
    )
    killed.finish("KILLED")
    ghost = store.start("ghost", {}, {key: text for key, text in second.data.tags.items() if "nnexp." in key})
    close()
    # Until then results leave it out, and count it.
    found = load_runs(store.uri)
    there = [run.info.run_id for run in (first, second, third, fourth)]
    assert sorted(found["run_id"]) == sorted([*there, killed.run_id])
    assert found.attrs["without_params"] == 1
    done = here(tmp_path, "-m", "seed=0,1,2,3", *SMALL, "sweep.resume=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 run is recorded and skipped; run again: 3 files missing or cut short" in done.stdout
    after = runs(tmp_path)
    assert len(after) == 4
    assert {run.info.status for run in after} == {"FINISHED"}
    assert not {first.info.run_id, ghost.run_id} & {run.info.run_id for run in after}
    assert second.info.run_id in {run.info.run_id for run in after}
    for run in after:
        assert (tmp_path / "runs" / "artifacts" / run.info.run_id / "artifacts" / "history.parquet").is_file()


def test_a_results_folder_that_was_moved_is_gone_on_with_where_it_is(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new & here"
    old.mkdir()
    assert here(old, "-m", "seed=0,1", *SMALL).returncode == 0
    old.rename(new)
    resumed = here(new, "-m", "seed=0,1", *SMALL, "sweep.resume=true")
    assert "runs are recorded and skipped" in resumed.stdout
    assert "files missing" not in resumed.stdout
    assert here(new, "optimizer=sgd", *SMALL, "tracking.figures=true", "tracking.model=true").returncode == 0
    assert not old.exists()
    places = {Path(unquote(urlsplit(run.info.artifact_uri).path)) for run in runs(new)}
    assert all((place / "history.parquet").is_file() for place in places)
    assert {place.parents[1] for place in places} == {new / "runs" / "artifacts"}


def test_files_that_were_left_elsewhere_stay_there(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    # The folder next to the file exists too, as another experiment's.
    assert here(tmp_path, "optimizer=sgd", *SMALL).returncode == 0
    uri, elsewhere = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", tmp_path / "large disk" / "artifacts"
    MlflowClient(tracking_uri=uri).create_experiment("elsewhere", artifact_location=elsewhere.as_uri())
    assert here(tmp_path, "optimizer=sgd", *SMALL, "tracking.experiment=elsewhere").returncode == 0
    assert here(tmp_path, "optimizer=random", *SMALL, "tracking.experiment=elsewhere").returncode == 0
    assert len(list(elsewhere.glob("*/artifacts/history.parquet"))) == 2
