"""Data that runs share are held once in a process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded import record_run

from nnexp.config.schema import Config, Tracking
from nnexp.data import MNIST, Spiral, loading
from nnexp.data.points import Points
from nnexp.data.streams import streams
from nnexp.losses import SquaredError
from nnexp.network import MLP, Linear
from nnexp.optim import SGD
from nnexp.results import load_history, load_runs
from nnexp.tracking.mlflow_store import Store
from nnexp.training import Budget, Group, RunSettings
from nnexp.training.prepare import prepare, prepare_group
from tests.data_files import images, write_idx


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_cache", [])


def test_equal_draws_give_the_arrays_that_are_there_and_leave_the_streams_alike() -> None:
    dataset = Spiral(samples=5)
    fresh, first, again = streams(3), streams(3), streams(3)
    expected = dataset.load(fresh, "float32")
    one, two = (loading.load(dataset, draws, "float32") for draws in (first, again))
    assert one is two
    np.testing.assert_array_equal(one.train.x, expected.train.x)
    for name, rng in fresh.items():
        assert rng.random() == first[name].random() == again[name].random()
    assert loading.load(dataset, streams(4), "float32") is not one
    assert loading.load(dataset, streams(3), "float64") is not one
    assert loading.load(Spiral(samples=6), streams(3), "float32") is not one
    assert loading.load(dataset, streams(3, {"init": 9}), "float32") is one


def test_all_seeds_share_data_that_no_seed_decides(tmp_path: Path) -> None:
    settings = RunSettings(dataset=MNIST(**images(tmp_path)))
    prepared = prepare_group((replace(settings, seed=seed), None, 5) for seed in range(8))
    assert len({id(one.problem) for one in prepared}) == 1
    other = prepare(replace(settings, seed=9))
    assert other.problem.train.x is prepared[0].problem.train.x
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.full(12, 7))
    assert set(prepare(settings).problem.test.y) == {7}


def test_no_more_is_held_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CACHE_BYTES", 30_000)
    splits = [
        loading.load(Spiral(samples=200, test_samples=0), streams(seed), "float32") for seed in range(5)
    ]
    held = [one.split for one in loading._cache]
    assert 0 < len(held) < 5
    assert all(one is two for one, two in zip(held, splits[-len(held) :], strict=True))
    assert sum(one.bytes for one in loading._cache) <= 30_000
    monkeypatch.setattr(loading, "CACHE_BYTES", 1)
    last = loading.load(Spiral(samples=200), streams(9), "float32")
    assert [one.split is last for one in loading._cache] == [True]


def test_samples_and_epochs_of_any_dataset_are_recorded(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store.open(uri, "nnexp")
    config = Config(
        dataset=Points(inputs=[[0.0], [1.0], [2.0], [3.0], [4.0]], targets=[[0.0]] * 5),
        architecture=MLP(hidden=[2], output=Linear()),
        loss=SquaredError(),
        optimizer=SGD(0.01, batch_size=2),
        budget=Budget(iterations=6),
        tracking=Tracking(uri=uri, figures=False, model=False),
    )
    record_run(store, Group.of(config), config, "run", {})
    runs = load_runs(uri)
    assert runs["samples"].tolist() == [5]
    tags = store.client.get_run(runs["run_id"].iloc[0]).data.tags
    assert (tags["nnexp.samples"], tags["nnexp.batch_size"], tags["nnexp.epochs"]) == ("5", "2", "2")
    history = load_history(runs)
    np.testing.assert_allclose(history["epochs"], history["iteration"] / 3)
