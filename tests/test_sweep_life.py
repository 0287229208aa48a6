"""A sweep's life: tries again, the first failure, edited source, and what a store receives."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from commands import LONG, SMALL, children, here, made_store, nnexp, runs, start, wait_for
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import Thinning
from nnexp.training.group import Group
from nnexp.training.record import COLUMNS, History

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A sweep whose jobs of seed 1 fail so many times."""
    inner, failures = Group.train, []

    def sweep(times, *arguments):
        def train(self, flush_seconds):
            if any(run.prepared.settings.seed == 1 for run in self.runs) and len(failures) < times:
                failures.append(self)
                raise RuntimeError("broken for now")
            return inner(self, flush_seconds)

        monkeypatch.setattr(Group, "train", train)
        return here(tmp_path, "-m", *SMALL, *arguments), failures

    return sweep


def test_a_job_that_failed_is_tried_again_by_itself(tmp_path, failing):
    # Once with its group, once alone, and once more.
    done, failures = failing(3, "seed=0,1,2", "sweep.retries=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 3
    assert len(failures) == 3


def test_an_error_in_a_group_costs_its_own_run_alone(tmp_path, failing):
    done, _ = failing(99, "seed=0,1,2")
    assert done.returncode == 1
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED", "FAILED", "FINISHED"]
    assert runs(tmp_path)[1].data.tags["nnexp.reason"] == "RuntimeError: broken for now"
    assert re.search(r"failed: .*seed=1.*: RuntimeError: broken for now\n +log: \S+/1/run.log", done.stdout)


def test_the_first_failure_ends_a_sweep_that_wants_it(tmp_path, failing):
    done, _ = failing(99, "seed=1,2,3", "optimizer=sgd", "hydra.launcher.group=1", "sweep.fail_fast=true")
    assert done.returncode == 1
    assert [run.info.status for run in runs(tmp_path)] == ["FAILED"]
    assert [run.info.status for run in runs(tmp_path, "sweep")] == ["FAILED"]
    assert "sweep.resume=" in done.stdout


def test_the_first_failure_ends_jobs_that_are_trained_one_by_one(tmp_path, failing):
    done, _ = failing(
        99,
        "seed=0,1,2",
        "optimizer=sgd",
        "hydra/launcher=basic",
        "hydra/sweeper=basic",
        "sweep.fail_fast=true",
    )
    assert done.returncode == 1
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED", "FAILED"]


@pytest.fixture
def own_source(tmp_path):
    """A copy of the package that a test may edit, and the environment that uses it."""
    for name in ("nnexp", "conf"):
        shutil.copytree(ROOT / name, tmp_path / "source" / name)
    return tmp_path / "source" / "nnexp", os.environ | {"PYTHONPATH": str(tmp_path / "source")}


def test_an_edit_of_the_source_does_not_change_later_jobs(tmp_path, own_source):
    package, environment = own_source
    made_store(tmp_path)
    process = start(tmp_path, "-m", "optimizer=random", "seed=range(0,4)", *LONG, env=environment)
    wait_for(lambda: children(process.pid))
    for file in package.rglob("*.py"):
        file.write_text("raise RuntimeError('edited while a sweep runs')\n")
    # The workers that take the place of killed ones load the package anew.
    for worker in children(process.pid):
        os.kill(worker, signal.SIGKILL)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, out + error
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 4
    (parent,) = runs(tmp_path, "sweep")
    assert "nnexp.warning" not in parent.data.tags


def test_runs_of_changed_code_are_run_again_unless_told_otherwise(tmp_path, own_source):
    package, environment = own_source
    # What is the fact here is the code, not who trains.
    arguments = ["-m", "seed=0,1", *SMALL, "hydra/launcher=basic"]

    def sweep(*more):
        return nnexp(tmp_path, *arguments, *more, env=environment)

    # The copy is still as the source of this process.
    assert here(tmp_path, *arguments).returncode == 0
    first = [run.info.run_id for run in runs(tmp_path)]
    with open(package / "training" / "problem.py", "a") as file:
        file.write("# An edit.\n")
    kept = sweep("sweep.resume=true", "sweep.stale_code=keep")
    assert "2 runs are recorded and skipped" in kept.stdout
    assert [run.info.run_id for run in runs(tmp_path)] == first
    again = sweep("sweep.resume=true")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 runs are recorded and skipped; run again: 2 of other code" in again.stdout
    found = [run.info.run_id for run in runs(tmp_path)]
    assert len(found) == 2
    assert not set(found) & set(first)


def history(count):
    iteration = np.arange(count)
    measured = np.random.default_rng(0).random((6, count))
    measured[1, ::7] = np.nan
    return History(zip(COLUMNS, (iteration, 3 * iteration, iteration / 100, *measured), strict=True))


def test_a_store_receives_what_plain_calls_give(tmp_path):
    store = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "tests")
    rows, client = history(180), store.client
    params = {f"p{index}": f"v{index}" for index in range(150)}
    tags = {f"t{index}": f"w{index}" for index in range(120)}
    ours = store.start("run", {}, {"kind": "run"}, started=1_000)
    ours.record(rows, params, tags, {"improvements": 5.0, "nothing": np.nan}, 179)
    ours.finish("FINISHED", ended=9_000)
    plain = client.create_run(store.experiment_id, 1_000, {"kind": "run"}, "run").info.run_id
    for at in range(180):
        when = 1_000 + round(rows.seconds[at] * 1000)
        values = {key: float(rows[key][at]) for key in COLUMNS[1:]}
        points = [Metric(key, value, when, at) for key, value in values.items() if np.isfinite(value)]
        client.log_batch(plain, metrics=points)
    client.log_metric(plain, "improvements", 5.0, milliseconds(), 179)
    client.log_batch(plain, params=[Param(*item) for item in list(params.items())[:100]])
    client.log_batch(plain, params=[Param(*item) for item in list(params.items())[100:]])
    for key, value in tags.items():
        client.log_batch(plain, tags=[RunTag(key, value)])
    client.set_terminated(plain, "FINISHED", 9_000)
    assert contents(client, ours.run_id) == contents(client, plain)


def contents(client: MlflowClient, run_id: str):
    run = client.get_run(run_id)
    info = (run.info.run_name, run.info.status, run.info.start_time, run.info.end_time)
    own = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
    points = {
        key: [
            (p.step, p.value, p.timestamp if key in COLUMNS else 0)
            for p in client.get_metric_history(run_id, key)
        ]
        for key in run.data.metrics
    }
    return info, run.data.params, own, run.data.metrics, points


def test_a_store_gets_ten_rows_a_decade_whatever_the_pieces():
    rows = history(5000)
    whole = Thinning(10).select(rows, last=True)
    assert whole is not None
    pieces, thinning = [], Thinning(10)
    for start_at in range(0, 5000, 700):
        part = rows.each(lambda column, first=start_at: column[first : first + 700])
        chosen = thinning.select(part)
        pieces += [] if chosen is None else chosen.iteration.tolist()
    last = thinning.select(rows, last=True)
    assert last is not None
    assert pieces + last.iteration.tolist() == whole.iteration.tolist()
    assert whole.iteration[-1] == 4999
    assert 25 < len(whole.iteration) < 40
    every = Thinning(None).select(rows, last=True)
    assert every is not None
    assert len(every.iteration) == 5000
