"""A server that never comes back, or whose answers are lost: each run is there once in the end."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, nnexp, start, sync, wait_for
from servers import free_port, losing_answers, mlflow_server

from nnexp.tracking.journal import has_ended

pytestmark = pytest.mark.soak

SWEEP = (
    "-m", "optimizer=random", "seed=range(0,5)", "architecture.hidden=[3]",
    "budget.iterations=null", "budget.evaluations=400000",
    "dataset.samples=50", "tracking=lean", "hydra.launcher.group=1", "hydra.launcher.n_jobs=1",
)  # fmt: skip


def children(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name("nnexp")
    return [] if found is None else client.search_runs([found.experiment_id], "tags.`nnexp.kind` = 'run'")


@pytest.mark.parametrize("interrupted", [False, True])
def test_what_was_trained_for_a_server_that_is_gone_is_kept_and_brought_in_once(
    tmp_path: Path, interrupted: bool
) -> None:
    port, database = free_port(), f"sqlite:///{tmp_path}/server.db"
    with mlflow_server(tmp_path, database, port) as server:
        where = f"tracking.uri={server.uri}"
        sweep = start(tmp_path, *SWEEP, where)
        wait_for(lambda: any(run.info.status == "FINISHED" for run in children(server.uri)))
    gone = time.monotonic()
    if interrupted:
        wait_for(lambda: list(tmp_path.glob("runs/hydra/*/*/journal/000002.run")))
        sweep.send_signal(signal.SIGINT)
    out, error = sweep.communicate(timeout=240)
    print(f"ended {time.monotonic() - gone:.0f} s after the server")
    assert sweep.returncode == (130 if interrupted else 1), out + error
    assert "Traceback" not in out + error
    (count, command) = re.findall(
        r"Not recorded: (\d) runs?\. To record them: python -m nnexp\.sync (.+)", out
    )[0]
    with mlflow_server(tmp_path, database, port) as server:
        brought = sync(tmp_path, *command.split())
        assert brought.returncode == 0, brought.stdout + brought.stderr
        assert f": {count} runs recorded, 1 were recorded before" in brought.stdout
        jobs = [run.data.tags["nnexp.job"] for run in children(server.uri) if run.info.status == "FINISHED"]
        assert len(jobs) == len(set(jobs))
        resumed = nnexp(tmp_path, *SWEEP, where, "sweep.resume=true")
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        assert sorted(run.data.tags["nnexp.job"] for run in children(server.uri)) == [*"01234"]
        assert {run.info.status for run in children(server.uri)} == {"FINISHED"}
        if not interrupted:
            assert "5 runs are recorded and skipped" in resumed.stdout


def trained(place: Path, runs: int) -> bool:
    """Whether all runs of the sweep in a folder have been trained to their ends."""
    files = list(place.glob("runs/hydra/*/*/journal/0*"))
    return len(files) == runs and all(has_ended(file) for file in files)


def test_a_server_that_stands_still_for_ten_minutes_costs_no_training(tmp_path: Path) -> None:
    seconds = {}
    with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/server.db") as server:
        where = f"tracking.uri={server.uri}"
        for name in ("still", "free"):
            place = tmp_path / name
            place.mkdir()
            sweep = start(place, *SWEEP, where)
            wait_for(lambda place=place: list(place.glob("runs/hydra/*/*/journal/000000.*")))  # type: ignore[misc]
            begun = time.monotonic()
            if name == "still":
                server.send(signal.SIGSTOP)
            wait_for(lambda place=place, sweep=sweep: trained(place, 5) or sweep.poll() is not None)  # type: ignore[misc]
            seconds[name] = time.monotonic() - begun
            if name == "free":
                out, error = sweep.communicate(timeout=240)
                assert sweep.returncode == 0, out + error
                continue
            out, error = sweep.communicate(timeout=400)
            assert sweep.returncode == 1, out + error
            (command,) = re.findall(
                r"Not recorded: [45] runs\. To record them: python -m nnexp\.sync (.+)", out
            )
            time.sleep(max(0.0, 600 - (time.monotonic() - begun)))
            server.send(signal.SIGCONT)
            brought = sync(place, *command.split())
            assert brought.returncode == 0, brought.stdout + brought.stderr
            found = children(server.uri)
            assert sorted(run.data.tags["nnexp.job"] for run in found) == [*"01234"]
            assert {run.info.status for run in found} == {"FINISHED"}
    print({name: f"{count:.1f} s to train what was left" for name, count in seconds.items()})
    assert seconds["still"] < 1.5 * seconds["free"] + 2


def test_a_run_whose_beginning_was_answered_to_nobody_is_there_once(tmp_path: Path) -> None:
    def of_a_run(body: bytes) -> bool:
        return b'"nnexp.job"' in body

    with (
        mlflow_server(tmp_path, f"sqlite:///{tmp_path}/server.db") as server,
        losing_answers(server.uri, "/runs/create", of_a_run, 2) as uri,
    ):
        done = nnexp(tmp_path, "-m", "seed=0,1", *SMALL, f"tracking.uri={uri}")
        assert done.returncode == 0, done.stdout + done.stderr
        found = children(server.uri)
        assert sorted(run.data.tags["nnexp.job"] for run in found) == ["0", "1"]
        assert {run.info.status for run in found} == {"FINISHED"}
