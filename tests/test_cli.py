"""The command line on a real store."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SMALL, here, made_store, nnexp, running, runs, start, wait_for

from nnexp.config.error import ConfigError
from nnexp.sweep.compose.jobs import representatives
from nnexp.training.group import Group


def test_the_users_command_ends_with_a_table_of_three_methods(tmp_path):
    done = nnexp(tmp_path, "-m", "optimizer=random,perturb,sgd", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for method in ("random", "perturb", "sgd"):
        assert re.search(rf"^{method} +0 .* finished +\w{{8}}$", done.stdout, re.MULTILINE)
    assert "by validation loss at 60 iterations (1 task, 1 common seed)" in " ".join(done.stdout.split())
    tail = done.stdout[done.stdout.index("method ") :]
    commands = ("Browse:", "        then open", "Compare:", "Seeds:")
    assert all(len(line) <= 80 for line in tail.splitlines() if not line.startswith(commands))
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/runs/mlflow.db" in done.stdout
    children, (parent,) = runs(tmp_path), runs(tmp_path, "sweep")
    assert f"Compare: python -m nnexp.report {parent.data.tags['nnexp.sweep_id']}\n" in done.stdout
    assert [run.info.status for run in [*children, parent]] == ["FINISHED"] * 4
    assert [run.data.params["optimizer.name"] for run in children] == ["random", "perturb", "sgd"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert len({run.data.tags["nnexp.sweep_id"] for run in [*children, parent]}) == 1
    assert len({run.info.run_name for run in children}) == 3
    assert len({run.data.tags["nnexp.config_hash"] for run in children}) == 3
    for run in children:
        assert run.data.params["architecture.hidden"] == "[32, 32]"
        assert run.data.metrics.keys() >= {
            "loss",
            "accuracy",
            "val_loss",
            "val_accuracy",
            "evaluations",
            "seconds",
        }
    assert len(list((tmp_path / "runs" / "hydra").glob("*/*/*/.hydra/config.yaml"))) == 3


def test_one_run_needs_no_sweep(tmp_path):
    done = here(tmp_path, *SMALL, "optimizer.momentum=0.5")
    assert done.returncode == 0, done.stderr
    assert [run.data.params["optimizer.momentum"] for run in runs(tmp_path)] == ["0.5"]
    assert runs(tmp_path, "sweep") == []


# Many more are tried within one process: see test_bad_input.
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["optimizer=sgdd"], r"optimizer=sgdd: unknown; expected one of .*; did you mean sgd\?"),
        (["-m", "optimizer=sgd,sgdd"], "optimizer=sgdd: unknown"),
        (["-m", "seed=0,1", "tracking.uri=http://127.0.0.1:9"], "tracking.uri=.*: expected an MLflow server"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run(tmp_path, arguments, line):
    done = here(tmp_path, *arguments)
    assert done.returncode == 2
    assert re.match(rf"nnexp: {line}", done.stderr)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_traceback_is_shown_when_asked_for(tmp_path):
    # Python prints what its main program raises.
    with pytest.raises(ConfigError):
        here(tmp_path, "dataset.classes=1", env={**os.environ, "NNEXP_TRACEBACK": "1"})


def test_a_job_that_fails_leaves_the_rest_of_the_sweep_going(tmp_path, monkeypatch):
    inner = Group.train

    def train(self, flush_seconds):
        yield []
        if self.runs[0].prepared.method.needs_gradient:
            raise RuntimeError("the gradient broke\nsecond line")
        yield from inner(self, flush_seconds)

    monkeypatch.setattr(Group, "train", train)
    (tmp_path / "own").mkdir()
    done = here(tmp_path, "-m", "--config-dir", "own", "optimizer=random,sgd,perturb", *SMALL)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert re.search(r"failed: optimizer=sgd.*: RuntimeError: the gradient broke\n", done.stdout)
    log = re.search(r"log: (\S+)", done.stdout)
    assert log
    # As it was started, or it would be another sweep.
    assert "Resume: python -m nnexp.run --config-dir own -m optimizer=random,sgd,perturb " in done.stdout
    assert "second line" in Path(log[1]).read_text()
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED", "FAILED", "FINISHED"]
    assert "the gradient broke" in runs(tmp_path)[1].data.tags["nnexp.reason"]
    assert [run.info.status for run in runs(tmp_path, "sweep")] == ["FAILED"]


# SIGTERM, and the launcher of groups: see test_recording_process and test_launcher.
def test_a_signal_ends_the_run_and_its_sweep_as_killed(tmp_path):
    arguments = ("-m", "seed=0,1", "tracking=lean", "budget.iterations=null", "budget.seconds=100")
    arguments += ("tracking.flush_seconds=0.2",)
    made_store(tmp_path)
    process = start(tmp_path, *arguments, "hydra/launcher=basic")
    wait_for(lambda: running(tmp_path))
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    # Of two workers either may have begun first, the other not yet.
    assert re.search(r"^sgd +[01] .* killed ", out, re.MULTILINE)
    (run, *_), (parent,) = runs(tmp_path), runs(tmp_path, "sweep")
    assert {run.info.status for run in [*runs(tmp_path), parent]} == {"KILLED"}
    assert run.data.metrics["loss"] > 0


@pytest.mark.parametrize(("signal_error", "code"), [("KeyboardInterrupt", 130), ("Terminated", 143)])
def test_a_signal_that_left_something_half_made_is_no_bad_input(tmp_path, signal_error, code):
    """As in OmegaConf: what is done at the end fails with another error, in place of the signal's."""
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "half.yaml").write_text("_target_: half.Made\nname: half\n")
    (tmp_path / "half.py").write_text(
        f"from nnexp.sweep.interrupts import Terminated\ntry:\n    raise {signal_error}\nfinally:\n    None.flags\n"
    )
    done = here(tmp_path, "--config-dir", "conf", "optimizer=half")
    assert (done.returncode, done.stderr) == (code, "")


def test_a_dry_run_lists_and_checks_the_jobs(tmp_path):
    done = here(tmp_path, "--dry-run", "-m", "optimizer=random,sgd", "seed=range(0,3)")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[3].split() == ["3", "optimizer=sgd", "seed=0"]
    assert lines[-1] == "6 jobs, nothing trained"
    assert not list(tmp_path.iterdir())
    assert here(tmp_path, "--dry-run", "-m", "seed=0,-1").returncode == 2


def test_a_sweep_may_use_config_files_of_ones_own(tmp_path):
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# @package _global_\nseed: 9\n")
    for option in (["--config-dir", "own"], [f"hydra.searchpath=[file://{tmp_path}/own]"]):
        done = here(tmp_path, "-m", *option, "+experiment=mine", "optimizer=random,sgd", *SMALL)
        assert done.returncode == 0, done.stderr
    assert [run.data.params["seed"] for run in runs(tmp_path)] == ["9"] * 4


def test_the_sample_that_is_checked_has_every_override():
    jobs = [[f"seed={s}", f"optimizer={o}", f"architecture.hidden=[{h}]"]
            for s in range(50) for o in ("random", "sgd") for h in (1, 2)]  # fmt: skip
    sample = representatives(jobs)
    assert {o for job in sample for o in job} >= {o for job in jobs for o in job if not o.startswith("seed")}
    assert len(sample) <= 4


def test_the_config_can_be_printed(tmp_path):
    done = here(tmp_path, "--cfg", "job", "optimizer=perturb")
    assert done.returncode == 0
    assert "optimizer:\n  _target_: nnexp.optim.RandomPerturbation\n  name: perturb\n" in done.stdout


def test_completion_can_be_installed(tmp_path):
    done = here(tmp_path, "-sc", "install=bash")
    assert done.returncode == 0
    assert "complete" in done.stdout


@pytest.mark.parametrize(
    "group", ["architecture", "budget", "dataset", "experiment", "loss", "optimizer", "sweep", "tracking"]
)
def test_every_group_has_help(tmp_path, group):
    done = here(tmp_path, "--help", group)
    assert done.returncode == 0
    assert group in here(tmp_path, "--help").stdout
    assert done.stdout.startswith(("+" if group == "experiment" else "") + group)


# Help asks the parts themselves, which are written in NumPy.
@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [(["--version"], set()), (["--help"], {"numpy"}), (["--help", "optimizer"], {"numpy"})],
)
def test_help_and_version_load_nothing_heavy(arguments, allowed):
    heavy = {"hydra", "mlflow", "numpy", "omegaconf", "matplotlib", "pandas", "scipy", "nnfs", "pyarrow"}
    code = f"import sys; from nnexp.run import main; main({arguments}); assert not {heavy - allowed} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
