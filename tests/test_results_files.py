"""Files of runs are found when their folder was moved, and said to be missing when they are."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from nnexp import results
from nnexp.stats import judge
from nnexp.tracking.files import history_table
from nnexp.tracking.mlflow_store import Store
from nnexp.training.record import COLUMNS, History

WHOLE, SENT = 20, 12


def history(points: int, loss: float = 1.0) -> History:
    iteration = np.arange(points)
    fall = loss / (1 + iteration)
    held_out = (fall + 0.1, 0.9 - fall / 2)
    counts = iteration, 3 * iteration, 0.1 * iteration
    return History(zip(COLUMNS, (*counts, fall, 1 - fall / 2, *held_out, *held_out), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of two methods on two seeds, whose files have more rows than the store."""
    store = Store.open(f"sqlite:///{tmp_path}/runs/mlflow.db", "nnexp")
    for method in ("sgd", "random"):
        for seed in (0, 1):
            params = {"seed": str(seed), "optimizer.name": method, "dataset.name": "spiral"}
            run = store.start(f"{method}-{seed}", params, {"nnexp.kind": "run"})
            run.record(rows=history(SENT))
            run.log_files({
                "history.parquet": history_table(history(WHOLE, 1 + seed)),
                "config.yaml": b"seed: 1\n",
            })  # fmt: skip
            run.finish("FINISHED", {"nnexp.status": "finished"})
    return tmp_path / "runs"


def uri_of(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def test_a_folder_that_was_moved_has_its_files(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    moved = folder.rename(folder.with_name("moved & away"))
    runs = results.load_runs(uri_of(moved))
    assert results.load_history(runs).groupby("run_id").size().tolist() == [WHOLE] * 4
    assert results.load_config(runs["run_id"].iloc[0], uri_of(moved)) == {"seed": 1}
    assert not caplog.records


def test_a_copy_has_files_of_its_own(folder: Path) -> None:
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy)
    for file in copy.rglob("history.parquet"):
        file.write_bytes(history_table(history(5)))
    assert results.load_history(results.load_runs(uri_of(copy))).groupby("run_id").size().tolist() == [5] * 4


def test_files_out_of_reach_are_counted_and_read_once_they_are_back(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = results.load_runs(uri_of(folder))
    lost = [folder / "artifacts" / run_id for run_id in runs["run_id"][:3]]
    away = [place.rename(folder / f"{place.name} away") for place in lost]
    told = "The files history.parquet of 3 of 4 runs are missing"
    for _ in range(2):
        caplog.clear()
        rows = results.load_history(runs)
        assert rows.groupby("run_id", sort=False).size().tolist() == [SENT] * 3 + [WHOLE]
        assert rows.attrs["without_file"] == runs["run_id"][:3].tolist()
        assert [record.getMessage().startswith(told) for record in caplog.records] == [True]
        assert told in judge(runs, rows, axes=["iteration"]).text
    with pytest.raises(results.StoreError, match=f"no artifact config.yaml; expected it in {lost[0]}"):
        results.load_config(runs["run_id"].iloc[0], uri_of(folder))
    for old, new in zip(away, lost, strict=True):
        old.rename(new)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        rows = results.load_history(runs)
    assert rows.groupby("run_id").size().tolist() == [WHOLE] * 4
    assert rows.attrs["without_file"] == []
    assert not caplog.records
