"""Labels of methods and tasks, missing cells, and step curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sweeps import made_sweep

from nnexp.results import MEASURES, held, label, missing_cells, on_grid


def table(**columns: list) -> pd.DataFrame:
    rows = pd.DataFrame(columns)
    defaults = {"run_id": [str(n) for n in range(len(rows))], "status": "finished", "reason": "", "seed": 0}
    started = pd.date_range("2026-01-01", periods=len(rows), tz="UTC")
    for name, value in (defaults | {"started": started, "method": rows.get("optimizer.name")}).items():
        if name not in rows:
            rows[name] = value
    return rows


def test_variants_are_named_by_what_differs_and_is_used():
    runs = table(
        **{
            "optimizer.name": ["sgd", "sgd", "sgd", "sgd", "random"],
            "optimizer.momentum": [0.0, 0.9, 0.0, 0.9, np.nan],
            "optimizer.batch_size": [None, None, 32.0, 32.0, None],
            "optimizer.learning_rate": [1.0, 1.0, 1.0, 1.0, np.nan],
            "optimizer.scale": [np.nan, np.nan, np.nan, np.nan, 0.05],
        }
    )
    expected = ["sgd", "sgd momentum=0.9", "sgd batch_size=32", "sgd momentum=0.9 batch_size=32", "random"]
    assert label(runs)["variant"].tolist() == expected


def test_a_setting_that_varies_in_another_method_alone_is_not_named():
    runs = table(**{"optimizer.name": ["sgd", "random", "random"], "optimizer.scale": [np.nan, 0.1, 0.5]})
    assert label(runs)["variant"].tolist() == ["sgd", "random scale=0.1", "random scale=0.5"]


def test_tasks_that_differ_in_much_are_named_by_what_tells_them_apart():
    runs = table(
        **{
            "optimizer.name": ["adam"] * 3,
            "architecture.activation.name": [None, "relu", "tanh"],
            "architecture.name": ["layers", "mlp", "mlp"],
            "architecture.hidden": [None, [128], [16]],
            "dataset.name": ["digits", "digits", "iris"],
            "dataset.classes": [None, None, 3],
        }
    )
    assert label(runs)["task"].tolist() == ["layers digits", "mlp digits", "mlp iris"]


def test_tasks_are_what_varies_and_is_no_methods_own():
    runs = table(
        **{
            "optimizer.name": ["sgd", "random"] * 3,
            "dataset.name": ["spiral"] * 4 + ["vertical"] * 2,
            "dataset.classes": [3, 3, 5, 5, 3, 3],
            "architecture.hidden": [[64]] * 6,
            "budget.iterations": [10, 20] * 3,
            "tracking.uri": list("abcdef"),
        }
    )
    assert label(runs)["task"].unique().tolist() == [
        "spiral classes=3",
        "spiral classes=5",
        "vertical classes=3",
    ]
    assert label(runs, task=["dataset.name"])["task"].unique().tolist() == ["spiral", "vertical"]
    assert label(runs.assign(dtype=["float32", "float64"] * 3), task=["dtype"])["task"].nunique() == 2


def test_a_part_is_named_by_its_option_and_its_class_only_where_the_name_does_not_tell():
    parts = {
        "optimizer.name": ["sgd", "sgd", "random", "random"],
        "optimizer._target_": ["a.SGD", "a.SGD", "a.Random", "b.Random"],
        "optimizer.schedule.name": ["constant", "cosine", None, None],
        "optimizer.schedule._target_": ["a.Constant", "a.Cosine", None, None],
        "dataset.name": ["spiral", "vertical", "spiral", "vertical"],
        "dataset._target_": ["a.Spiral", "a.Vertical", "a.Spiral", "a.Vertical"],
        "architecture.activation.name": ["relu", "tanh", "relu", "tanh"],
        "architecture.activation._target_": ["a.ReLU", "a.Tanh", "a.ReLU", "a.Tanh"],
    }
    labelled = label(table(**parts))
    assert labelled["variant"].tolist() == [
        "sgd schedule=constant",
        "sgd schedule=cosine",
        "random _target_=a.Random",
        "random _target_=b.Random",
    ]
    assert labelled["task"].tolist() == ["spiral relu", "vertical tanh"] * 2


def test_lists_can_make_tasks():
    runs = table(**{"optimizer.name": ["sgd"] * 2, "architecture.hidden": [[3], [64, 64]]})
    assert label(runs)["task"].tolist() == ["hidden=[3]", "hidden=[64, 64]"]


def test_replicates_are_told_apart_by_every_seed_that_varies():
    runs = table(**{"optimizer.name": ["sgd"] * 4, "seeds.init": [0, 1, 0, 1], "seed": [0, 0, 1, 1]})
    assert label(runs)["replicate"].nunique() == 4


def test_missing_cells_are_seen_whatever_the_reason():
    runs, _ = made_sweep(np.zeros((2, 2, 3)), ["random", "sgd"])
    runs.loc[0, ["status", "reason"]] = ["failed", "ValueError: no"]
    runs.loc[1, "status"] = "diverged"
    found = missing_cells(runs.drop(index=[5, 7]))
    assert found["status"].tolist() == ["failed", "diverged", "missing", "missing"]
    assert found["reason"].tolist() == ["ValueError: no", "", "", ""]
    assert missing_cells(runs[runs["status"] == "finished"].iloc[4:]).empty


def test_a_cell_that_was_run_again_is_not_missing():
    runs, _ = made_sweep(np.zeros((1, 2, 2)), ["random", "sgd"])
    again = runs.iloc[:1].assign(run_id="again", started=pd.Timestamp("2026-02-01", tz="UTC"))
    runs.loc[0, "status"] = "killed"
    assert len(missing_cells(runs)) == 1
    assert missing_cells(pd.concat([runs, again], ignore_index=True)).empty


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=8, unique=True), min_size=1, max_size=4))
def test_a_step_curve_holds_its_last_value(iterations):
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"run_id": str(run), "method": "m", "seed": run, "iteration": sorted(own)})
        for run, own in enumerate(iterations)
    ]
    history = pd.concat(parts, ignore_index=True)
    for name in MEASURES:
        history[name] = rng.normal(size=len(history))
    places = [0.0, 3.5, 17.0, 60.0]
    found = on_grid(history, at=places).set_index(["run_id", "iteration"])
    best = on_grid(history, at=places, best=True).set_index(["run_id", "iteration"])
    for run_id, own in history.groupby("run_id"):
        for place in places:
            early = own[own["iteration"] <= place]
            if early.empty:
                assert found.loc[(run_id, place)][[*MEASURES]].isna().all()
                continue
            assert found.loc[(run_id, place), "loss"] == early["loss"].iloc[-1]
            lowest = early.loc[early["loss"].idxmin()]
            assert best.loc[(run_id, place), "accuracy"] == lowest["accuracy"]


def test_rows_are_held_at_each_runs_own_place():
    _, history = made_sweep(np.zeros((1, 2, 1)), ["random", "sgd"])
    at = pd.Series({"spiral-random-0": 50.0, "spiral-sgd-0": 1.0})
    assert held(history, "iteration", at)["iteration"].tolist() == [10, 1]
    with pytest.raises(ValueError, match="axis=steps: expected one of iteration"):
        held(history, "steps", at)
