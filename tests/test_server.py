"""Sweeps recorded by a real MLflow server on PostgreSQL, read back through it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import here, nnexp
from conftest import surroundings
from servers import Server, free_port, mlflow_server, postgresql

from nnexp.config.schema import from_mapping
from nnexp.results import load_config, load_history, load_runs, load_snapshots
from nnexp.training import train

METHODS = ("random", "perturb", "sgd")
SMALL = ("budget.iterations=60", "dataset.samples=20", "dataset.test_samples=10")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    with (
        postgresql() as database,
        mlflow_server(place, database) as started,
        pytest.MonkeyPatch.context() as own,
    ):
        # What is read from a server is kept in the user's cache.
        own.setenv("XDG_CACHE_HOME", str(place / "cache"))
        yield started


def client(server: Server) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=server.uri)


def recorded(server: Server, experiment: str, kind: str) -> list[Any]:
    found = client(server).get_experiment_by_name(experiment)
    return list(client(server).search_runs([found.experiment_id], f"tags.`nnexp.kind` = '{kind}'"))


def test_a_sweep_is_recorded_whole(server: Server, tmp_path: Path) -> None:
    done = nnexp(
        tmp_path, "-m", f"optimizer={','.join(METHODS)}", *SMALL,
        "tracking.model=false",
        f"tracking.uri={server.uri}", "tracking.experiment=whole",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.uri + "/#/experiments/" in done.stdout
    assert not (tmp_path / "runs" / "mlflow.db").exists()

    (parent,) = recorded(server, "whole", "sweep")
    children = recorded(server, "whole", "run")
    assert sorted(run.data.params["optimizer.name"] for run in children) == sorted(METHODS)
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    ask = client(server)
    assert {"summary.csv", "summary.md", "summary.png"} <= {
        file.path for file in ask.list_artifacts(parent.info.run_id)
    }
    for run in children:
        tags, metrics = run.data.tags, run.data.metrics
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert tags["nnexp.sweep_id"] == parent.data.tags["nnexp.sweep_id"]
        assert tags["nnexp.status"] == "finished"
        assert "nnexp.warning" not in tags
        assert {"loss", "accuracy", "val_loss", "val_accuracy", "evaluations", "seconds"} <= set(metrics)
        points = ask.get_metric_history(run.info.run_id, "loss")
        steps = [point.step for point in points]
        assert steps == sorted(set(steps))
        assert (steps[0], steps[-1]) == (0, 60)
        files = {file.path for file in ask.list_artifacts(run.info.run_id)}
        assert {
            "config.yaml",
            "environment.json",
            "history.parquet",
            "weights.npz",
            "figures",
            "images",
        } <= files
        assert run.info.artifact_uri.startswith("mlflow-artifacts:")
        with np.load(ask.download_artifacts(run.info.run_id, "weights.npz", str(tmp_path))) as weights:
            assert json.loads(weights["layout"].tobytes())["sizes"] == [2, 32, 32, 3]


def test_the_tables_are_those_that_training_here_gives(server: Server) -> None:
    runs = load_runs(server.uri, "whole")
    history = load_history(runs, server.uri)
    assert sorted(runs["method"]) == sorted(METHODS)
    for run in runs.itertuples():
        config = from_mapping(load_config(run.run_id, server.uri), ())
        (again,) = train(config, config.tracking.log_every, config.tracking.snapshots)
        rows = history[history["run_id"] == run.run_id].sort_values("iteration")
        for name in ("iteration", "evaluations", "loss", "accuracy", "val_loss", "val_accuracy"):
            np.testing.assert_array_equal(rows[name], getattr(again.history, name))
        assert run.loss == again.history.loss[-1]
        snapshots = load_snapshots(run.run_id, server.uri)
        np.testing.assert_array_equal(snapshots.iteration, again.snapshots.iteration)
        np.testing.assert_array_equal(snapshots.theta, again.snapshots.theta)


def test_a_server_that_stands_still_for_a_while_loses_and_doubles_nothing(
    server: Server, tmp_path: Path
) -> None:
    sweep = ["-m", f"optimizer={','.join(METHODS)}", "seed=range(0,4)", *SMALL, "tracking=lean"]
    place = [f"tracking.uri={server.uri}", "tracking.experiment=still"]
    command = [sys.executable, "-m", "nnexp.run", *sweep, *place]
    with subprocess.Popen(
        command, cwd=tmp_path, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout is not None
        out = []
        while not out or not out[-1].startswith("[2/12]"):
            out.append(running.stdout.readline())
            assert out[-1], "".join(out)
        server.send(signal.SIGSTOP)
        try:
            time.sleep(3)
            assert running.poll() is None
        finally:
            server.send(signal.SIGCONT)
        rest, _ = running.communicate(timeout=120)
    assert running.returncode == 0, "".join(out) + rest
    (parent,) = recorded(server, "still", "sweep")
    runs = recorded(server, "still", "run")
    assert sorted(
        (run.data.params["optimizer.name"], int(run.data.params["seed"])) for run in runs
    ) == sorted((method, seed) for method in METHODS for seed in range(4))
    assert {run.info.status for run in [parent, *runs]} == {"FINISHED"}
    ask = client(server)
    expected = None
    for run in runs:
        steps = [point.step for point in ask.get_metric_history(run.info.run_id, "loss")]
        expected = expected or sorted(set(steps))
        assert steps == expected
        assert "history.parquet" in {file.path for file in ask.list_artifacts(run.info.run_id)}


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_a_server_that_is_not_there_is_one_line_and_no_run(sweep: list[str], tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    done = here(tmp_path, *sweep, *SMALL, f"tracking.uri={uri}")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert f"tracking.uri={uri}: expected an MLflow server that answers" in lines[0]
    assert "finished" not in done.stdout
