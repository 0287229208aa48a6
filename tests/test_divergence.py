"""Runs whose answer has no finite loss end as diverged, and nothing stands in for what they do not have."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from recorded import record_run
from test_group import alone, assert_equal_alone, config

from nnexp.config.schema import from_mapping
from nnexp.results import MEASURES, load_runs
from nnexp.stats import select_best
from nnexp.tracking.mlflow_store import Store
from nnexp.training.group import Group


def test_mini_batches_that_explode_diverge() -> None:
    """Their weights are finite still, but no longer the loss of all data."""
    configs = [
        config(
            architecture={"name": "single_layer", "hidden": [], "output": "linear"},
            loss__name="squared_error",
            optimizer__batch_size=10,
            optimizer__learning_rate=rate,
            dataset__samples=20,
            budget__iterations=50,
        )
        for rate in (3.0, 0.01)
    ]
    assert_equal_alone(configs)
    group = Group.of(configs)
    for _ in group.train():
        pass
    for trained in (group.runs, [alone(one)[0] for one in configs]):
        assert [run.status for run in trained] == ["diverged", "finished"]
        assert [np.isnan(run.history.loss[-1]) for run in trained] == [True, False]
        assert np.isfinite(trained[0].final_theta).all()


def test_a_search_that_found_no_finite_loss_diverges() -> None:
    data = {"name": "points", "inputs": [[1e38, -1e38]], "targets": [[0.0]]}
    for optimizer in ("random", "perturb", "sgd"):
        one = config(
            optimizer,
            architecture={"name": "single_layer", "hidden": [], "output": "linear"},
            loss__name="squared_error",
            dataset=data,
        )
        run, history = alone(one)
        assert run.status == "diverged"
        assert np.isnan(history.loss[-1])


def test_a_mini_batch_run_that_exploded_has_no_loss_and_is_not_chosen(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for rate, seed in itertools.product((3.0, 0.01), (0, 1)):
        config = from_mapping({
            "seed": seed,
            "architecture": {"name": "single_layer", "hidden": [], "output": "linear"},
            "dataset": {"name": "spiral", "samples": 20, "test_samples": 10},
            "optimizer": {"name": "sgd", "learning_rate": rate, "batch_size": 10},
            "loss": {"name": "squared_error"}, "budget": {"iterations": 50},
            "tracking": {"uri": uri, "figures": False, "model": False}, "seeds": {}, "sweep": {},
        })  # fmt: skip
        store = Store.open(uri, "nnexp")
        record_run(store, Group.of(config), config, "run", {})
    runs = load_runs(uri)
    exploded = runs["optimizer.learning_rate"] == 3
    assert runs["status"].tolist() == ["diverged", "diverged", "finished", "finished"]
    assert runs.loc[exploded, MEASURES].isna().all(axis=None)
    assert runs.loc[~exploded, "val_loss"].notna().all()
    assert select_best(runs).costs["chosen"].tolist() == ["sgd learning_rate=0.01"]
