"""The reference of the benchmarks does the same work as nnexp, so that their costs may be compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from commands import SMALL, here

APP = Path(__file__).parent / "benchmarks" / "plain_way.py"
SWEEP = ("-m", "optimizer=random,perturb,sgd", *SMALL)
NAMES = ("loss", "accuracy", "val_loss", "val_accuracy", "evaluations", "seconds")


@pytest.mark.soak
def test_the_plain_way_leaves_what_nnexp_leaves(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    for name in ("plain", "nnexp"):
        (tmp_path / name).mkdir()
    done = here(tmp_path / "nnexp", *SWEEP)
    assert done.returncode == 0, done.stderr
    plain = subprocess.run(
        [sys.executable, str(APP), *SWEEP],
        cwd=tmp_path / "plain", env=os.environ | {"PLAIN_GROUPED": "1"}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert plain.returncode == 0, plain.stderr
    seen = {}
    for name in ("plain", "nnexp"):
        client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / name / 'runs' / 'mlflow.db'}")
        (experiment,) = [one for one in client.search_experiments() if one.name == "nnexp"]
        runs = client.search_runs([experiment.experiment_id], "params.`optimizer.name` != ''")
        seen[name] = {run.data.params["optimizer.name"]: run for run in runs}
        assert sorted(seen[name]) == ["perturb", "random", "sgd"]
        seen[f"{name} points"] = {
            (method, key): [point.step for point in client.get_metric_history(run.info.run_id, key)]
            for method, run in seen[name].items()
            for key in NAMES
        }
    assert seen["plain points"] == seen["nnexp points"]
    for method, run in seen["nnexp"].items():
        other = seen["plain"][method]
        # Of a part within a part nnexp records the settings, the plain way what the config says: its name.
        assert {name for name in run.data.params if name.rpartition(".")[0] not in other.data.params} <= set(
            other.data.params
        )
        ours, theirs = (Path(one.info.artifact_uri.removeprefix("file://")) for one in (run, other))
        names = {file.relative_to(ours) for file in ours.rglob("*") if file.is_file()}
        assert names == {file.relative_to(theirs) for file in theirs.rglob("*") if file.is_file()}
        iterations = [pd.read_parquet(folder / "history.parquet")["iteration"] for folder in (ours, theirs)]
        pd.testing.assert_series_equal(*iterations, check_dtype=False)
        assert other.data.metrics["loss"] < 1.2
