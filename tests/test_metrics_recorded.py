"""Metrics in records: columns, labels and directions, from the store to the verdict and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from recorded import record_run

from nnexp.config.schema import Config, Tracking
from nnexp.figures import curves
from nnexp.losses.metrics import F1
from nnexp.optim import SGD, RandomSearch
from nnexp.report.material import load_material
from nnexp.report.payload import charts
from nnexp.report.tables import every_run
from nnexp.results import known_measures, load_history, load_runs, measure_of, on_grid
from nnexp.stats import compare, higher_is_better
from nnexp.testing import SMALL
from nnexp.tracking.mlflow_store import Store
from nnexp.training import Group
from tests.test_metrics import Sureness

CONFIG = Config(
    dataset=SMALL.dataset,
    architecture=SMALL.architecture,
    budget=SMALL.budget,
    tracking=Tracking(figures=False, model=False),
)

TAGS = {"nnexp.kind": "run", "nnexp.sweep_id": "one"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """A sweep of two methods, and a run that chose no metric."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('metrics')}/mlflow.db"
    store, last = Store.open(uri, "nnexp"), None
    base = replace(CONFIG, metrics=[F1(), Sureness()])
    for seed in range(6):
        for method in (SGD(0.5, batch_size=5), RandomSearch()):
            config = replace(base, seed=seed, optimizer=method)
            group = Group.of(config)
            record_run(store, group, config, f"{method.name}-{seed}", TAGS)
            last = group.runs[0]
    bare = replace(CONFIG, optimizer=SGD(0.5))
    record_run(store, Group.of(bare), bare, "bare", {"nnexp.kind": "run"})
    return uri, last


def test_tables_have_the_metrics_that_runs_chose(place: tuple[str, Any]) -> None:
    uri, last = place
    runs = load_runs(uri)
    assert [name for name in known_measures(runs) if name.startswith("val_")] == [
        "val_loss", "val_accuracy", "val_f1", "val_sureness",
    ]  # fmt: skip
    assert list(runs["val_f1"].isna()) == [False] * 12 + [True]
    assert runs["batch_loss"].notna().tolist() == [True, False] * 6 + [False]
    assert (runs["measuring_seconds"] > 0).all()
    assert measure_of(runs, "test_sureness").label == "test mean of the largest outputs"
    # Once from the files, once from the index.
    for _ in range(2):
        history = load_history(runs)
        own = history[history["run_id"] == runs["run_id"].iloc[11]]
        for name in ("f1", "val_f1", "sureness", "loss"):
            np.testing.assert_array_equal(own[name], last.history[name])
        assert history.loc[history["run_id"] == runs["run_id"].iloc[12], "f1"].isna().all()
        assert list(history.columns)[-1] == "batch_loss"
    assert "val_f1" in on_grid(history)
    plain = load_runs(uri, filter="attributes.run_name = 'bare'")
    assert "f1" not in plain
    assert "f1" not in load_history(plain)


def test_methods_are_compared_by_a_metric_in_its_own_direction(place: tuple[str, Any]) -> None:
    runs = load_runs(place[0], sweep="one")
    history = load_history(runs)
    for measure, sign in (("val_f1", 1), ("val_sureness", -1)):
        found = compare(runs, history, measure=measure)
        means = runs.groupby("method")[measure].mean() * sign
        assert found.methods[0] == means.idxmax()
        assert f"by {found.about.label} at" in found.verdict
    with pytest.raises(ValueError, match="measure=val_f1: expected one of loss"):
        higher_is_better("val_f1")
    assert higher_is_better("val_f1", runs)
    # A table that lost what it knew is not guessed at.
    lost = pd.DataFrame(history)
    lost.attrs = {}
    with pytest.raises(ValueError, match="measure=val_f1"):
        compare(runs, lost, measure="val_f1")


def test_the_page_has_metrics_with_labels_and_directions(place: tuple[str, Any]) -> None:
    material = load_material("one", place[0], measure="val_f1")
    data = charts(material, 10)
    assert data["measures"]["val_sureness"] == {
        "label": "validation mean of the largest outputs",
        "higher": False,
    }
    assert data["measures"]["val_f1"]["higher"]
    assert data["measure"] == "val_f1"
    json.dumps(data, allow_nan=False)
    assert "validation F1 score" in every_run(material, {}).columns
    assert curves(material.history, "val_f1").axes[0].get_ylabel() == "validation F1 score"
    with pytest.raises(ValueError, match="expected one of loss, accuracy, f1, sureness"):
        load_material("one", place[0], measure="f2")


def test_the_index_takes_metrics_in_later(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store.open(uri, "nnexp")
    for metrics in ([], [F1()]):
        config = replace(CONFIG, optimizer=SGD(0.1), metrics=metrics)
        record_run(store, Group.of(config), config, "run", {"nnexp.kind": "run"})
        history = load_history(load_runs(uri))
    known = history.groupby("run_id", sort=False)["f1"].count().tolist()
    assert known[0] == 0 < known[1]
