"""Views of MLflow's UI on a sweep: what their tags hold, and what becomes of the experiment's description."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from nnexp.pictures.colors import OWN
from nnexp.tracking.curve_names import PALETTE, TAG, curve_name, place
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.parent import finish_parent, markdown, shared
from nnexp.tracking.views import MOST_VIEWS, NOTE, PREFIX, comparison, note, too_many

TABLE = pd.DataFrame(
    {
        "method": ["sgd", "sgd", "random"], "seed": [0, 1, 0], "status": ["finished", "failed", "finished"],
        "loss": [0.1, np.nan, 1.0], "accuracy": [0.9, np.nan, 0.3], "val_loss": [0.5, np.nan, 1.1],
        "val_accuracy": [0.8, np.nan, 0.3], "test_loss": np.nan, "test_accuracy": np.nan, "iterations": 100,
        "evaluations": [300, 300, 100], "seconds": 0.5, "run_id": ["a", "b", "c"], "log": "/home/me/runs/run.log",
        "url": "http://127.0.0.1:5000/", "job": [0, 1, 2],
    }
)  # fmt: skip


def states(tags: dict[str, str]) -> list[dict[str, object]]:
    """The state that MLflow 3.17 reads, and the one that 3.10 does."""
    (value,) = (json.loads(text) for text in tags.values())
    packed = json.loads(zlib.decompress(base64.b64decode(value["state"].removeprefix("deflate;"))))
    return [packed, {key: value[key] for key in packed}]


def test_a_comparison_is_the_same_for_old_and_new_pages_and_fits_an_old_ones_tag() -> None:
    of = shared("s1", TABLE)
    assert (of.loss, of.accuracy, of.methods, of.log) == ("val_loss", "val_accuracy", ("sgd", "random"), True)
    tags = comparison(of.sweep, [f"method_{at}" for at in range(20)], of.loss, of.accuracy, of.log)
    assert list(tags) == [f"{PREFIX}s1"]
    assert all(len(value) < 5000 for value in tags.values())
    new, old = states(tags)
    assert new == old
    # By a metric the first 100 runs, which are all that the page loads, would be of the best methods alone.
    assert new["orderByKey"] == "params.`seed`"
    assert [chart["metricKey"] for chart in new["compareRunCharts"]] == ["val_loss", "val_accuracy"]  # type: ignore[attr-defined]
    assert [section["display"] for section in new["compareRunSections"]] == [True, False]  # type: ignore[attr-defined]


def test_a_group_has_its_methods_name_and_a_colour_of_its_own() -> None:
    names = {method: curve_name(method) for method in OWN if "+" not in method}
    assert {method: name.rstrip("\u200b\u200c\u200d\u2060") for method, name in names.items()} == {
        method: method for method in names
    }
    assert len({place(name) for name in names.values()}) == len(names)
    # A green, an orange, a blue: MLflow's own choice for these was two blues and a black.
    assert [PALETTE[place(names[method])] for method in ("sgd", "perturb", "random")] == [
        "#3ba65e",
        "#be501e",
        "#137dae",
    ]
    (key,) = (json.loads(text) for text in comparison("s", ["sgd"], "loss", "").values())
    assert key["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": TAG}]
    assert list(key["groupsExpanded"]) == [f"tag.{TAG}.{curve_name('sgd')}"]


def test_a_loss_of_nothing_has_no_logarithmic_axis() -> None:
    assert not shared("s", TABLE.assign(val_loss=[0.0, 0.5, 1.0])).log


def test_the_oldest_views_go_and_others_views_stay() -> None:
    tags = {f"{PREFIX}202601{day:02}-000000-ab": "" for day in range(1, 33)} | {
        f"{PREFIX}mine": "",
        "other": "",
    }
    assert too_many(tags) == [f"{PREFIX}20260101-000000-ab", f"{PREFIX}20260102-000000-ab"]
    assert len(tags) - 2 - 2 == MOST_VIEWS


def test_a_description_of_ones_own_stays_below_the_links() -> None:
    told = note("Mine.\nMore.", "1", "s1", "parent", "summary.md", False)
    assert told.splitlines()[1:] == ["Mine.", "More."]
    again = note(told, "1", "s2", "parent", "report.html", True)
    first, *rest = again.splitlines()
    assert rest == ["Mine.", "More."]
    assert "s1" not in first
    assert (
        "[report](#/experiments/1/runs/parent/artifacts/report.html?workflowType=machine_learning)" in first
    )
    assert "viewStateShareKey=s2-boundaries" in first
    assert (
        note(note("", "1", "s1", "p", "summary.md", False), "1", "s2", "p", "a.html", False).count("\n") == 0
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/runs/mlflow.db", "views")


def test_the_end_of_a_sweep_makes_its_views(store: Store) -> None:
    run = store.start("sgd seed 0", {"seed": "0"}, {"nnexp.kind": "run"})
    run.log_images([(0, np.zeros((4, 4, 3), np.uint8)), (100, np.zeros((4, 4, 3), np.uint8))])
    parent = store.start_parent("sweep", {}, {"nnexp.sweep_id": "20260101-000000-ab"})
    sweep = "20260101-000000-ab"
    finish_parent(parent, TABLE.assign(run_id=run.run_id), "FINISHED", None, sweep)
    data = store.client.get_run(parent.run_id).data
    assert "nnexp.warning" not in data.tags
    tags = store.client.get_experiment(store.experiment_id).tags
    query = parse_qs(store.sweep_url(sweep).partition("?")[2])
    assert PREFIX + query["viewStateShareKey"][0] in tags
    (_, state) = states({"": tags[f"{PREFIX}{sweep}-boundaries"]})
    assert state["compareRunCharts"][0]["step"] == 100  # type: ignore[index]
    assert "[decision boundaries]" in tags[NOTE].splitlines()[0]


def test_a_sweep_of_which_no_run_was_recorded_has_views_without_pictures(store: Store) -> None:
    parent, sweep = store.start_parent("sweep", {}, {"nnexp.sweep_id": "s1"}), "s1"
    finish_parent(parent, TABLE.assign(run_id=""), "FAILED", None, sweep)
    run, tags = store.client.get_run(parent.run_id), store.client.get_experiment(store.experiment_id).tags
    assert (run.info.status, run.data.tags.get("nnexp.warning")) == ("FAILED", None)
    assert PREFIX + sweep in tags
    assert f"{PREFIX}{sweep}-boundaries" not in tags


def test_a_summary_is_short_and_names_no_folder() -> None:
    text = markdown(TABLE)
    assert "/home" not in text
    assert "| sgd | 2 | 1 finished, 1 failed | 0.1 | 0.9 | 0.5 | 0.8 | 100 | 300 | 0.5 |" in text
    assert len(text.splitlines()) == 6
