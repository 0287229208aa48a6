"""Validation data choose, test data compare; a dataset that holds out one set has it under ``val_``."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recorded import record_run

from nnexp.config.schema import Config, Tracking
from nnexp.data import Sine, Spiral, Table
from nnexp.losses import SquaredError
from nnexp.network import MLP, Linear
from nnexp.optim import SGD
from nnexp.results import load_history, load_runs
from nnexp.stats import default_measure, select_best
from nnexp.sweep.trial import objective
from nnexp.tracking.files import history_table, rows_of
from nnexp.tracking.mlflow_store import Store
from nnexp.training import Budget, Group, RunSettings, train

SETTINGS = RunSettings(
    dataset=Sine(samples=20, validation_samples=7, test_samples=5),
    architecture=MLP(hidden=[4], output=Linear()),
    loss=SquaredError(),
    optimizer=SGD(0.1),
    budget=Budget(iterations=30),
)


def squared(run, data) -> float:
    outputs = run.prepared.problem.network.forward(run.final_theta, data.x)
    return float(np.mean((outputs - data.y) ** 2))


def test_validation_and_test_data_are_measured_apart() -> None:
    (run,) = train(replace(SETTINGS, dtype="float64"))
    problem, rows = run.prepared.problem, run.history
    assert (problem.validation.x.shape, problem.test.x.shape) == ((1, 7), (1, 5))
    assert rows.val_loss[-1] == pytest.approx(squared(run, problem.validation), rel=1e-12)
    assert rows.test_loss[-1] == pytest.approx(squared(run, problem.test), rel=1e-12)
    assert rows.val_loss[-1] != rows.test_loss[-1]


@pytest.mark.parametrize("changes", [{"validation_samples": 0}, {"test_samples": 0}])
def test_one_set_that_is_held_out_is_under_val(changes: dict[str, int]) -> None:
    (run,) = train(replace(SETTINGS, dataset=replace(SETTINGS.dataset, **changes), dtype="float64"))
    held_out = run.prepared.problem.held_out
    assert run.history.val_loss[-1] == pytest.approx(squared(run, held_out), rel=1e-12)
    assert np.isnan(run.history.test_loss).all()


def test_the_best_weights_are_best_by_validation_and_never_by_test_data() -> None:
    # Labels of the training data that are wrong for all others: what is learned makes the others worse.
    x, right = np.tile([[1.0], [-1.0]], (30, 1)), np.tile([0, 1], 30)
    y = np.where(np.arange(60) < 20, 1 - right, right)
    part = np.repeat(["train", "validation", "test"], 20)
    for seed in range(5):
        table = Table.of(pd.DataFrame({"x": x[:, 0], "y": y, "part": part}), "y", split="part")
        (run,) = train(RunSettings(seed=seed, dataset=table, budget=SETTINGS.budget, optimizer=SGD(0.5)))
        best = int(np.argmin(run.history.val_loss))
        assert best < 5
        assert run.best_loss == run.history.loss[best]
    (other,) = train(RunSettings(dataset=Spiral(samples=5, test_samples=5), budget=SETTINGS.budget))
    assert other.best_loss == other.history.loss.min()


def test_records_have_both_and_methods_are_compared_on_test_data_but_chosen_on_validation(
    tmp_path: Path,
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store.open(uri, "nnexp")
    results = []
    for seed in (0, 1):
        for rate in (0.1, 0.2):
            values = vars(replace(SETTINGS, seed=seed, optimizer=SGD(rate)))
            config = Config(**values, tracking=Tracking(uri=uri, figures=False, model=False))
            results.append(record_run(store, Group.of(config), config, "run", {}))
    runs = load_runs(uri)
    assert runs["test_loss"].notna().all()
    assert sorted(runs["test_loss"]) == pytest.approx(
        sorted(result.measures["test_loss"] for result in results)
    )
    assert default_measure(runs) == "test_loss"
    history = load_history(runs)
    assert not history["test_loss"].isna().any()
    assert history["test_accuracy"].isna().all()
    chosen = select_best(runs, seeds=[0]).costs["chosen"].iloc[0]
    on = runs[runs["seed"] == 0].set_index("optimizer.learning_rate")["val_loss"]
    assert chosen.endswith(str(on.idxmin()))
    assert objective(config, results[0]) == results[0].measures["val_loss"]


def test_files_of_earlier_versions_can_be_read(tmp_path: Path) -> None:
    (run,) = train(replace(SETTINGS))
    table = pq.read_table(io.BytesIO(history_table(run.history)))
    earlier: pa.Table = table.drop_columns(["test_loss", "test_accuracy"])
    pq.write_table(earlier, tmp_path / "history.parquet")
    rows = rows_of(tmp_path / "history.parquet")
    np.testing.assert_array_equal(rows.val_loss, run.history.val_loss)
    assert np.isnan(rows.test_loss).all()
    assert len(rows.test_accuracy) == len(rows.loss)
