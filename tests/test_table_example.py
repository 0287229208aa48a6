"""A CSV file of 500 rows and ten columns with a label: from file to verdict, and what a change of it does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from commands import here, runs

from nnexp.config.places import conf
from nnexp.report.__main__ import main
from nnexp.results import load_runs

SWEEP = (
    *("-m", "+experiment=table_example", "optimizer=sgd,adam", "seed=range(0,3)", "tracking=lean"),
    *("dataset.path=cells.csv,others.csv", "budget.iterations=40", "hydra.launcher.n_jobs=1"),
)


def test_from_a_file_to_the_verdict_and_a_changed_file_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = conf() / "experiment" / "table_example.csv"
    table = pd.read_csv(file)
    assert table.shape == (500, 11)
    assert table["diagnosis"].nunique() == 2
    for name in ("cells.csv", "others.csv"):
        shutil.copy(file, tmp_path / name)
    table = table.iloc[::-1]
    table.to_csv(tmp_path / "others.csv", index=False)
    done = here(tmp_path, *SWEEP)
    assert done.returncode == 0, done.stderr
    first = {run.info.run_id: run.data.params["dataset.path"] for run in runs(tmp_path)}
    assert len(first) == 12
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    page = Path(re.findall(r"(\S+\.html)", capsys.readouterr().out)[0])
    assert "test_loss" in page.read_text(encoding="utf-8")
    assert here(tmp_path, *SWEEP, "sweep.resume=true").stdout.count("12 runs are recorded and skipped") == 1
    table.iloc[3, 0] += 1
    table.to_csv(tmp_path / "others.csv", index=False)
    again = here(tmp_path, *SWEEP, "sweep.resume=true")
    assert "6 runs are recorded and skipped; run again: 6 of other data" in again.stdout, again.stdout
    last = {run.info.run_id: run.data.params["dataset.path"] for run in runs(tmp_path)}
    kept = [path for name, path in first.items() if name in last]
    assert kept == 6 * [str(tmp_path / "cells.csv")]
    assert len(last) == 12
    assert load_runs(sweep="latest")["dataset.digest"].nunique() == 2


def test_the_example_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = here(tmp_path, "--dry-run", "+experiment=table_example")
    assert done.returncode == 0, done.stderr
