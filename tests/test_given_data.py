"""Given data are told apart by their content, however long they are, and no run is left out in silence."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from recorded import record_run

from nnexp.config.schema import from_mapping
from nnexp.results import label, load_history, load_runs
from nnexp.stats import compare, judge, select_best
from nnexp.tracking.mlflow_store import Store
from nnexp.training.group import Group

INPUTS = [[at / 600, 1 - at / 600] for at in range(600)]
TARGETS = [[at % 2] for at in range(600)]
OTHER_TARGETS = [*TARGETS[:-1], [5]]


def recorded(uri: str, data: list[tuple[Any, Any]], **changes: Any) -> pd.DataFrame:
    """Runs of two methods and two seeds on each of the data."""
    store = Store.open(uri, "nnexp")
    for (inputs, targets), optimizer, seed in itertools.product(data, ("sgd", "random"), (0, 1)):
        config = from_mapping({
            "seed": seed,
            "architecture": {"name": "single_layer", "hidden": [], "output": "linear"} | changes,
            "dataset": {"name": "points", "inputs": inputs, "targets": targets},
            "optimizer": {"name": optimizer}, "loss": {"name": "squared_error"}, "budget": {"iterations": 3},
            "tracking": {"uri": uri, "figures": False, "model": False}, "seeds": {}, "sweep": {},
        })  # fmt: skip
        record_run(store, Group.of(config), config, "run", {})
    return load_runs(uri)


@pytest.mark.parametrize("other", [(INPUTS, OTHER_TARGETS), ([*INPUTS[:-1], [7, 7]], TARGETS)])
def test_data_that_differ_late_are_two_tasks(tmp_path: Path, other: tuple[Any, Any]) -> None:
    runs = recorded(f"sqlite:///{tmp_path}/mlflow.db", [(INPUTS, TARGETS), other])
    labelled = label(runs)
    assert labelled.groupby("task").size().tolist() == [4, 4]
    assert labelled["task"].str.fullmatch("digest=[0-9a-f]{16}").all()
    found = compare(runs, load_history(runs))
    assert len(found.scores) == 8
    assert "Left out" not in found.verdict


def test_given_weights_that_differ_late_are_two_tasks(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    data = ([[0.5] * 1500], [[1.0]])
    recorded(uri, [data], weights=[[[0.25] * 1500]])
    runs = recorded(uri, [data], weights=[[[0.25] * 1499 + [0.5]]])
    tasks = label(runs)["task"]
    assert tasks.value_counts().tolist() == [4, 4]
    assert tasks.str.len().max() < 60


def test_whole_numbers_are_the_same_data(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    runs = recorded(uri, [([[1, 2]], [[0]]), ([[1.0, 2.0]], [[0.0]])])
    assert label(runs)["task"].nunique() == 1
    history = load_history(runs)
    said = "Left out: 4 of 8 runs, because another run has the same task, method and seed"
    assert said in judge(runs, history).text
    assert any(said in warning for warning in select_best(runs, measure="loss").warnings)


def test_records_without_a_digest_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    data = [([[1, 2]], [[0]]), ([[1, 2]], [[1]])]
    runs = recorded(f"sqlite:///{tmp_path}/mlflow.db", data).assign(**{"dataset.digest": None})
    assert set(label(runs)["task"]) == {"targets=[[0.0]]", "targets=[[1.0]]"}


@pytest.mark.parametrize(
    ("files", "tasks"),
    [
        ([("/a/one.csv", "1"), ("/a/two.csv", "2")], {"path=one.csv", "path=two.csv"}),
        # A copy is the same data, and files of one name may not be.
        ([("/a/one.csv", "1"), ("/b/copy.csv", "1")], {"table"}),
        ([("/a/one.csv", "1"), ("/b/one.csv", "2")], {"digest=1", "digest=2"}),
        ([("/a/one.csv", "1"), ("/a/one.csv", "2")], {"digest=1", "digest=2"}),
    ],
)
def test_files_are_named_in_short_and_told_apart_by_their_content(
    files: list[tuple[str, str]], tasks: set[str]
) -> None:
    runs = pd.DataFrame(
        [
            {
                "method": "sgd",
                "seed": seed,
                "dataset.name": "table",
                "dataset.path": path,
                "dataset.digest": digest,
            }
            for path, digest in files
            for seed in (0, 1)
        ]
    )
    assert set(label(runs)["task"]) == tasks
