"""Sweeps trained in groups: the same as one run after another, in other processes, whatever happens to them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import (
    ENDLESS,
    LONG,
    SMALL,
    children,
    here,
    in_store,
    made_store,
    running,
    runs,
    start,
    wait_for,
)

from nnexp.config.schema import from_mapping
from nnexp.results import load_config
from nnexp.training import train


def artifacts(run):
    return Path(run.info.artifact_uri.removeprefix("file://"))


def kept(run):
    """What a run is, without its clock."""
    folder = artifacts(run)
    frame = pd.read_parquet(folder / "history.parquet").drop(columns="seconds")
    with np.load(folder / "weights.npz") as file:
        snapshots = {name: file[name] for name in file.files}
    metrics = {key: value for key, value in run.data.metrics.items() if "seconds" not in key}
    return run.data.params, metrics, frame, snapshots


def assert_equal(one, other):
    (params, metrics, frame, arrays), (params2, metrics2, frame2, arrays2) = kept(one), kept(other)
    assert params == params2
    assert metrics == metrics2
    pd.testing.assert_frame_equal(frame, frame2, check_exact=True)
    assert arrays.keys() == arrays2.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, arrays2[name])


def by_config(place):
    found = {run.data.tags["nnexp.config_hash"]: run for run in runs(place)}
    assert len(found) == len(runs(place))
    return found


@pytest.mark.parametrize(
    "axes",
    [
        ("optimizer=random,perturb", "optimizer.scale=0.3,0.05", "seed=1,0"),
        (
            "optimizer.learning_rate=0.1,1e30",
            "optimizer.momentum=0,0.9",
            "optimizer.batch_size=null,7",
            "seed=3",
        ),
    ],
)
def test_it_equals_the_basic_launcher_bit_for_bit(tmp_path, axes):
    for launcher in ("basic", "batched"):
        (tmp_path / launcher).mkdir()
        workers = ["hydra.launcher.n_jobs=2"] if launcher == "batched" else []
        done = here(tmp_path / launcher, "-m", *axes, *SMALL, f"hydra/launcher={launcher}", *workers)
        assert done.returncode == 0, done.stderr
    basic, batched = (by_config(tmp_path / launcher) for launcher in ("basic", "batched"))
    assert basic.keys() == batched.keys()
    for key, run in basic.items():
        other = batched[key]
        assert run.info.run_name == other.info.run_name
        changing = {
            "mlflow.parentRunId",
            "mlflow.note.content",
            "nnexp.sweep_id",
            "nnexp.process",
            "nnexp.heartbeat",
            "nnexp.group",
            "nnexp.entry",
            "nnexp.checkpoints",
        }
        tags, tags2 = ({k: v for k, v in r.data.tags.items() if k not in changing} for r in (run, other))
        assert {k: v for k, v in tags.items() if k != "nnexp.overrides"} == {
            k: v for k, v in tags2.items() if k != "nnexp.overrides"
        }
        given, given2 = (
            {text for text in some["nnexp.overrides"].split() if not text.startswith("hydra")}
            for some in (tags, tags2)
        )
        assert given == given2
        assert_equal(run, other)


def test_a_finished_run_can_be_executed_again_from_its_record(tmp_path):
    assert here(tmp_path, "-m", "optimizer=perturb,sgd", "seed=4", *SMALL).returncode == 0
    for run in runs(tmp_path):
        config = from_mapping(load_config(run.info.run_id, f"sqlite:///{tmp_path}/runs/mlflow.db"), ())
        (again,) = train(config, config.tracking.log_every, config.tracking.snapshots)
        with np.load(artifacts(run) / "weights.npz") as recorded:
            named = again.prepared.problem.network.layout.named(again.final_theta)
            for name in named:
                np.testing.assert_array_equal(recorded[f"final/{name}"], named[name])


def test_every_job_keeps_its_own_folder_log_and_overrides(tmp_path):
    done = here(tmp_path, "-m", "optimizer=random,sgd", "seed=5,6", *SMALL, "hydra.launcher.n_jobs=2")
    assert done.returncode == 0, done.stderr
    folders = sorted((tmp_path / "runs" / "hydra").glob("*/*/[0-9]*"))
    assert [folder.name for folder in folders] == ["0", "1", "2", "3"]
    for folder, line in zip(folders, ("random 5", "random 6", "sgd 5", "sgd 6"), strict=True):
        method, seed = line.split()
        overrides = (folder / ".hydra" / "overrides.yaml").read_text().splitlines()
        assert overrides[:2] == [f"- optimizer={method}", f"- seed={seed}"]
        assert f"name: {method}" in (folder / ".hydra" / "config.yaml").read_text()
        assert f"num: {folder.name}" in (folder / ".hydra" / "hydra.yaml").read_text()
        assert "finished: loss" in (folder / "run.log").read_text()
    (sweep,) = (tmp_path / "runs" / "hydra").glob("*/*")
    assert {path.name for path in sweep.iterdir()} == {
        "0",
        "1",
        "2",
        "3",
        "multirun.yaml",
        "sweep.log",
        "timings.json",
    }
    assert "BLAS threads" in (sweep / "sweep.log").read_text()


def test_a_worker_that_is_killed_costs_no_run(tmp_path):
    made_store(tmp_path)
    process = start(tmp_path, "-m", "seed=range(0,4)", "optimizer=random", *LONG)
    wait_for(lambda: list((tmp_path / "runs").glob("hydra/*/*/0/run.log")))
    killed = set()
    for _ in range(2):
        wait_for(lambda: set(children(process.pid)) - killed)
        (victim, *_) = set(children(process.pid)) - killed
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, out + error
    found = runs(tmp_path)
    assert sorted(run.data.params["seed"] for run in found) == list("0123")
    assert {run.info.status for run in found} == {"FINISHED"}


def test_ctrl_c_records_what_runs_and_resuming_completes_the_sweep(tmp_path):
    made_store(tmp_path)
    arguments = ("-m", "optimizer=random,perturb", "seed=0,1", *LONG)
    process = start(tmp_path, *arguments)
    wait_for(lambda: running(tmp_path))
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, out + error
    assert "Traceback" not in out + error
    statuses = [run.info.status for run in runs(tmp_path)]
    assert "KILLED" in statuses
    assert "RUNNING" not in statuses
    assert [run.info.status for run in runs(tmp_path, "sweep")] == ["KILLED"]
    line = re.search(r"^Resume: python -m nnexp.run (.*)$", out, re.MULTILINE)
    assert line
    done = here(tmp_path, *shlex.split(line[1]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"run again: .*killed", done.stdout)
    found = by_config(tmp_path)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len(found) == 4
    (parent,) = runs(tmp_path, "sweep")
    assert parent.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    (tmp_path / "whole").mkdir()
    assert here(tmp_path / "whole", *arguments).returncode == 0
    for key, run in by_config(tmp_path / "whole").items():
        assert_equal(run, found[key])


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    made_store(tmp_path)
    process = start(tmp_path, "-m", "optimizer=random", "seed=0,1", *ENDLESS)
    wait_for(lambda: running(tmp_path))
    (sweep,) = in_store(tmp_path, "select value from tags where key = 'nnexp.sweep_id' limit 1")
    other = here(tmp_path, "-m", "seed=0,1", *SMALL, f"sweep.resume={sweep[0]}")
    assert other.returncode == 2
    line = r"nnexp: sweep.resume=\S+: expected a sweep that has ended; \S+:\d+ still works on it\n"
    assert re.match(line, other.stderr)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, out + error
    assert "Traceback" not in out + error
    assert {run.info.status for run in runs(tmp_path)} <= {"KILLED"}
    assert not children(process.pid)


def test_a_killed_sweep_leaves_stale_runs_that_resuming_or_a_command_ends(tmp_path):
    made_store(tmp_path)
    arguments = ("-m", "optimizer=random", "seed=range(0,4)", *LONG)
    process = start(tmp_path, *arguments)
    wait_for(lambda: running(tmp_path))
    workers = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not any(exists(pid) for pid in workers))
    done = here(tmp_path, "--end-stale")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"KILLED, process {process.pid} on \S+ has ended", done.stdout)
    assert "RUNNING" not in {run.info.status for run in [*runs(tmp_path), *runs(tmp_path, "sweep")]}
    done = here(tmp_path, *arguments, "sweep.resume=true")
    assert done.returncode == 0, done.stdout + done.stderr
    found = runs(tmp_path)
    assert [run.info.status for run in found] == ["FINISHED"] * 4


def test_nothing_to_resume_is_one_line(tmp_path):
    for value in ("true", "20200101-000000-abcdef"):
        done = here(tmp_path, "-m", "seed=0,1", *SMALL, f"sweep.resume={value}")
        assert done.returncode == 2
        assert re.match(rf"nnexp: sweep.resume={value}: expected .* in experiment nnexp\n", done.stderr)


def exists(pid):
    return Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
