"""Damaged files: the run and the file are named, the rest is read, an index is made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nnexp.results import StoreError, load_config, load_history, load_runs, load_snapshots


@pytest.fixture
def damaged(swept: Path, tmp_path: Path) -> Path:
    """A copy of a sweep's store, whose files a test may damage."""
    # Not the index that another test may have made there.
    shutil.copytree(swept / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("index"))
    return tmp_path / "runs"


def uri(place: Path) -> str:
    return f"sqlite:///{place}/mlflow.db"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_one_damaged_history_costs_its_own_rows_alone(
    damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = load_runs(uri(damaged))
    one = runs["run_id"].iloc[3]
    (file,) = damaged.glob(f"artifacts/{one}/artifacts/history.parquet")
    cut(file)
    history = load_history(runs)
    assert set(history["run_id"]) == set(runs["run_id"])
    assert history.attrs["without_file"] == [one]
    assert f"run_id={one}: {file} is damaged (" in caplog.text


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("weights.npz", load_snapshots),
        ("config.yaml", load_config),
    ],
)
def test_a_damaged_file_is_named_with_its_run(damaged: Path, name: str, load) -> None:
    one = load_runs(uri(damaged))["run_id"].iloc[0]
    (file,) = damaged.glob(f"artifacts/{one}/artifacts/{name}")
    file.write_bytes(b"{ [" + file.read_bytes()[:20])
    with pytest.raises(StoreError, match=f"run_id={one}: .*{name} is damaged"):
        load(one, uri(damaged))


@pytest.mark.parametrize("part", ["runs", "history"])
@pytest.mark.parametrize("how", ["cut", "other"])
def test_a_damaged_index_is_made_again(damaged: Path, part: str, how: str) -> None:
    runs = load_runs(uri(damaged))
    history = load_history(runs)
    (file,) = damaged.glob(f"index/*.{part}.parquet")
    if how == "cut":
        cut(file)
    else:
        table = pd.read_parquet(file)
        schema = pq.read_schema(file)
        changed = table.rename(columns={"loss": "lost"}).assign(**({"record": "{"} if part == "runs" else {}))
        arrow = pa.Table.from_pandas(changed, preserve_index=False)
        pq.write_table(arrow.replace_schema_metadata(schema.metadata), file)
    again = load_runs(uri(damaged))
    pd.testing.assert_frame_equal(again, runs)
    pd.testing.assert_frame_equal(load_history(again), history)
