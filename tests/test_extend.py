"""Sweeps that grow: only what is missing is trained, it stays one sweep, and the statistics say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import SMALL, here, runs
from made_sweeps import METHODS, made_sweep, spread

from nnexp.results import label, load_history, load_runs
from nnexp.stats import judge

ONE = ("hydra.launcher.n_jobs=1", *SMALL)


def loaded(place: Path, sweep: str = "latest") -> pd.DataFrame:
    return load_runs(f"sqlite:///{place / 'runs' / 'mlflow.db'}", sweep=sweep)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[Any]]:
    place = tmp_path_factory.mktemp("grown")
    assert here(place, "-m", "optimizer=sgd,adam", "seed=range(0,2)", *ONE).returncode == 0
    before = runs(place)
    done = here(place, "-m", "optimizer=sgd,perturb", "seed=range(0,3)", *ONE, "sweep.extend=latest")
    assert done.returncode == 0, done.stderr
    return place, done.stdout, before


def test_an_extension_trains_what_is_missing_and_says_how_much(grown: tuple[Path, str, list[Any]]) -> None:
    place, said, before = grown
    assert "2 runs are recorded and skipped; to be trained: 4 (4 missing)" in said
    kept = {run.info.run_id for run in before}
    assert kept < {run.info.run_id for run in runs(place)}
    assert len(runs(place)) == 8


def test_an_extended_sweep_is_one_sweep(grown: tuple[Path, str, list[Any]]) -> None:
    place, _, _ = grown
    table = loaded(place)
    assert len(table) == 8
    assert table["sweep_id"].nunique() == 1
    (parent,) = runs(place, "sweep")
    file = Path(parent.info.artifact_uri.removeprefix("file://")) / "summary.csv"
    # Its own table holds the runs of its first command too, which the second one did not name.
    summary = pd.read_csv(file)
    assert sorted(summary["method"]) == ["adam"] * 2 + ["perturb"] * 3 + ["sgd"] * 3
    assert not summary["overrides"].str.contains("sweep").any()


def test_the_verdict_says_that_a_sweep_was_extended(grown: tuple[Path, str, list[Any]]) -> None:
    table = loaded(grown[0])
    (once,) = json.loads(table.attrs["extended"])
    assert once["runs"] == 4
    text = judge(table, load_history(table)).text
    assert "Extended 1 time after its results were known, at 4 runs" in text
    assert "looks 2 times at 5% and stops at a difference is wrong in up to 10% of cases" in text


def test_the_same_extension_again_trains_nothing_and_counts_once(grown: tuple[Path, str, list[Any]]) -> None:
    place = grown[0]
    done = here(place, "-m", "optimizer=sgd,perturb", "seed=range(0,3)", *ONE, "sweep.extend=latest")
    assert done.returncode == 0, done.stderr
    assert "6 runs are recorded and skipped\n" in done.stdout
    assert len(json.loads(loaded(place).attrs["extended"])) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("sweep.extend=nowhere",), "sweep.extend=nowhere: expected a sweep's id in experiment nnexp"),
        (
            ("sweep.extend=latest", "sweep.resume=latest"),
            "sweep.extend=latest: not allowed together with sweep.resume",
        ),
        (("sweep.extend=latest", "sweep.until=decided"), "not allowed with sweep.until=decided"),
        (
            ("sweep.resume=latest", "sweep.until=decided"),
            "was started without it, so its looks were not counted; start a new sweep",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused(
    grown: tuple[Path, str, list[Any]], given: tuple[str, ...], said: str
) -> None:
    done = here(grown[0], "-m", "optimizer=sgd,adam", *ONE, *given)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(runs(grown[0])) == 8


def test_an_extension_needs_a_sweep(tmp_path: Path) -> None:
    done = here(tmp_path, "optimizer=sgd", "sweep.extend=latest")
    assert "sweep.extend=latest: adds jobs to a sweep, so add -m" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_longer_budget_is_a_task_of_its_own() -> None:
    runs_made, _ = made_sweep(spread(seeds=3), METHODS)
    runs_made["budget.iterations"] = 100
    assert set(label(runs_made)["task"]) == {"spiral"}
    longer = runs_made[runs_made["method"] == "sgd"].assign(**{"budget.iterations": 500})
    both = pd.concat([runs_made, longer], ignore_index=True)
    assert set(label(both)["task"]) == {"spiral iterations=100", "spiral iterations=500"}
    # Methods that each have a budget of their own are compared at equal cost, as ever.
    own = runs_made.assign(**{"budget.iterations": runs_made["method"].map({"sgd": 100}).fillna(300)})
    assert set(label(own)["task"]) == {"spiral"}
