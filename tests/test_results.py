"""Tidy tables of a fresh sweep, and the notebooks run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import SMALL, here
from readme import guide

from nnexp import results


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> str:
    place: Path = tmp_path_factory.mktemp("sweep")
    done = here(place, "-m", "optimizer=random,perturb,sgd", "seed=0,1", *SMALL)
    assert done.returncode == 0, done.stderr
    return f"sqlite:///{place / 'runs' / 'mlflow.db'}"


def test_a_row_for_each_run(sweep):
    runs = results.load_runs(sweep)
    assert len(runs) == 6
    assert sorted(runs["method"].unique()) == ["perturb", "random", "sgd"]
    assert sorted(runs["seed"].unique()) == [0, 1]
    assert runs["loss"].between(0, 2).all()
    assert runs["sweep_id"].nunique() == 1


def test_a_row_for_each_run_and_iteration(sweep):
    runs = results.load_runs(sweep)
    history = results.load_history(runs, sweep)
    last = history.sort_values("iteration").groupby("run_id").last()
    assert set(last.index) == set(runs["run_id"])
    assert (last["iteration"] == 60).all()
    np.testing.assert_allclose(last["loss"], runs.set_index("run_id").loc[last.index, "loss"])


def test_snapshots_keep_their_names(sweep):
    runs = results.load_runs(sweep)
    snapshots = results.load_snapshots(runs["run_id"].iloc[0], sweep)
    assert snapshots.iteration[0] == 0
    assert snapshots.iteration[-1] == 60
    assert snapshots.layout.named(snapshots.theta)["dense_0/weights"].shape == (
        len(snapshots.iteration),
        32,
        2,
    )


def test_the_readmes_analysis_runs(sweep, monkeypatch, capsys):
    analysis = guide("analysis")
    code = analysis[analysis.index("```python\n") + 10 :].partition("```")[0]
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(Path(sweep.removeprefix("sqlite:///")).parents[1])
    names: dict[str, object] = {}
    exec(code, names)
    assert len(names["runs"]) == 6
    assert "2 seeds cannot show any difference" in capsys.readouterr().out


def test_a_summary_has_a_row_for_each_method(sweep):
    assert len(results.summary(results.load_runs(sweep))) == 3


def test_runs_say_which_were_timed_together(tmp_path):
    for experiment, most in (("together", "null"), ("alone", "1")):
        limit = (
            f"tracking.experiment={experiment}",
            f"hydra.launcher.group={most}",
            "hydra.launcher.n_jobs=1",
        )
        done = here(tmp_path, "-m", "optimizer=random,sgd", "seed=0,1", *SMALL, *limit)
        assert done.returncode == 0, done.stderr
    store = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    together = results.load_runs(store, "together").groupby("method")["group"].unique()
    assert [len(groups) for groups in together] == [1, 1]
    assert together["random"][0] != together["sgd"][0]
    assert results.load_runs(store, "alone")["group"].isna().all()


def test_a_recorded_network_is_the_readmes_in_numpy_and_in_pytorch(sweep, monkeypatch):
    text = guide("python")
    blocks = text[text.index("A recorded run's config") :].split("```python\n")[1:4]
    load, plain, torch_s = (block.partition("```")[0] for block in blocks)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(Path(sweep.removeprefix("sqlite:///")).parents[1])
    names: dict[str, Any] = {}
    exec(load + plain, names)
    assert names["config"]["architecture"]["hidden"] == [32, 32]
    x = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    outputs = names["network"].forward(names["theta"], x)
    np.testing.assert_allclose(names["outputs"](x), outputs, rtol=1e-5, atol=1e-7)
    torch = pytest.importorskip("torch")
    exec(torch_s, names)
    with torch.no_grad():
        np.testing.assert_allclose(names["model"](torch.tensor(x.T)).numpy().T, outputs, rtol=1e-5, atol=1e-7)


def test_the_last_weights_are_the_last_snapshot(sweep):
    runs = results.load_runs(sweep)
    for run_id in runs["run_id"]:
        network, last = results.load_network(run_id, sweep, weights="final")
        snapshots = results.load_snapshots(run_id, sweep)
        np.testing.assert_array_equal(last, snapshots.theta[-1])
        assert network.layout.names == snapshots.layout.names
