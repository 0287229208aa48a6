"""Sweeps recorded by a real MLflow server on PostgreSQL, read back through it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import here, nnexp, start, sync, wait_for
from servers import Server, answering_500, free_port, mlflow_server, postgresql

from nnexp.config.schema import from_mapping
from nnexp.results import load_config, load_history, load_runs, load_snapshots
from nnexp.tracking.journal import has_ended
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


SWEEP = ("-m", f"optimizer={','.join(METHODS)}", "seed=range(0,4)", *SMALL, "tracking=lean")


def each_once(server: Server, experiment: str) -> None:
    """Every run of the sweep is there once with all its points, none twice, and its files."""
    (parent,) = recorded(server, experiment, "sweep")
    runs = recorded(server, experiment, "run")
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


def all_trained(place: Path) -> bool:
    files = list(place.glob("runs/hydra/*/*/journal/0*"))
    return len(files) == 12 and all(has_ended(file) for file in files)


def test_a_server_that_stands_still_costs_no_training_and_loses_and_doubles_nothing(
    server: Server, tmp_path: Path
) -> None:
    where = (f"tracking.uri={server.uri}", "tracking.experiment=still")
    sweep = start(tmp_path, *SWEEP, *where)
    wait_for(lambda: list(tmp_path.glob("runs/hydra/*/*/journal/*.done")))
    server.send(signal.SIGSTOP)
    try:
        # All runs are trained to their ends meanwhile.
        wait_for(lambda: all_trained(tmp_path))
        assert len(list(tmp_path.glob("runs/hydra/*/*/journal/*.run"))) > 0
        assert sweep.poll() is None
    finally:
        server.send(signal.SIGCONT)
    out, error = sweep.communicate(timeout=120)
    assert sweep.returncode == 0, out + error
    each_once(server, "still")
    assert not list(tmp_path.rglob("journal"))


def test_a_server_that_answers_500_is_asked_again_and_what_it_missed_is_synchronised(
    server: Server, tmp_path: Path
) -> None:
    with answering_500(server.uri) as (uri, broken):
        where = (f"tracking.uri={uri}", "tracking.experiment=broken")
        sweep = start(tmp_path, *SWEEP, *where)
        wait_for(lambda: list(tmp_path.glob("runs/hydra/*/*/journal/*.done")))
        broken.set()
        wait_for(lambda: all_trained(tmp_path))
        sweep.send_signal(signal.SIGINT)
        out, error = sweep.communicate(timeout=120)
        assert sweep.returncode == 130, out + error
        (command,) = re.findall(r"To record them: python -m nnexp\.sync (.+)", out)
        broken.clear()
        done = sync(tmp_path, *command.split())
        assert done.returncode == 0, done.stdout + done.stderr
        runs = recorded(server, "broken", "run")
        jobs = [run.data.tags["nnexp.job"] for run in runs]
        assert sorted(jobs, key=int) == [str(number) for number in range(12)]
        again = sync(tmp_path)
        assert again.stdout == "runs: 0 runs recorded, 0 were recorded before\n"
        resumed = nnexp(tmp_path, *SWEEP, *where, "sweep.resume=true")
        assert "12 runs are recorded and skipped" in resumed.stdout, resumed.stdout + resumed.stderr
    each_once(server, "broken")


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_a_server_that_is_not_there_is_one_line_and_no_run(sweep: list[str], tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    done = here(tmp_path, *sweep, *SMALL, f"tracking.uri={uri}")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert f"tracking.uri={uri}: expected an MLflow server that answers" in lines[0]
    assert "finished" not in done.stdout
