"""Runs and sweeps that SIGKILL ended go on from their checkpoints, to the bits of undisturbed ones."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from commands import children, here, in_store, runs, start, sync, wait_for
from whole_runs import artifacts, assert_whole, config_of, saved

from nnexp.config.schema import from_mapping
from nnexp.training import Run, train

LAB = '''
import time
from dataclasses import dataclass
from pathlib import Path

from nnexp.optim import SGD, Annealing


def wait():
    if not Path("go").exists():
        time.sleep(0.1)


@dataclass(frozen=True)
class SlowAnnealing(Annealing):
    """From candidate 2,000 on it waits at each one until the file ``go`` is there."""

    def ask(self, state, limit):
        if state.iteration >= 2000:
            wait()
        return super().ask(state, limit)


@dataclass(frozen=True)
class SlowSGD(SGD):
    """The same with updates."""

    def update(self, at):
        return [lambda: wait() if at.count >= 2000 else None, *super().update(at)]
'''

SETTINGS = (
    *("budget.iterations=4000", "dataset.samples=10", "dataset.test_samples=4", "architecture.hidden=[3]"),
    *("tracking=lean", "tracking.checkpoint_seconds=0.05", "tracking.flush_seconds=0.2"),
    *("--config-dir", "lab_conf"),
)
SWEEP = ("-m", "optimizer=slow_annealing,slow_sgd", "seed=0,1", *SETTINGS)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with methods that wait half way, so that nothing can end before it is killed."""
    (tmp_path / "lab.py").write_text(LAB)
    (tmp_path / "lab_conf" / "optimizer").mkdir(parents=True)
    for name, kind in (("slow_annealing", "SlowAnnealing"), ("slow_sgd", "SlowSGD")):
        file = tmp_path / "lab_conf" / "optimizer" / f"{name}.yaml"
        file.write_text(f"_target_: lab.{kind}\nname: {name}\n")
    return tmp_path


def undisturbed(run: Any) -> Run:
    """The run of a record, trained here by the method that does not wait."""
    values = config_of(run)
    values["optimizer"] = {"name": values["optimizer"]["name"].removeprefix("slow_")}
    (whole,) = train(from_mapping(values))
    return whole


def test_a_single_run_goes_on(lab: Path) -> None:
    command = ("optimizer=slow_annealing", "seed=0", *SETTINGS)
    process = start(lab, *command)
    try:
        wait_for(lambda: max(saved(lab).values(), default=0) > 2000)
        wait_for(lambda: in_store(lab, "select 1 from runs"))
        alive = here(lab, *command, "resume=latest")
        assert alive.returncode == 2
        assert "expected a run that has ended" in alive.stderr
    finally:
        process.kill()
    process.communicate()
    (left,) = runs(lab)
    assert left.info.status == "RUNNING"
    assert "runs: 1 runs recorded" in sync(lab).stdout
    (left,) = runs(lab)
    assert left.info.status == "KILLED"
    assert int(left.data.tags["nnexp.iterations"]) > 2000
    # What it would leave if it ended there.
    assert {"history.parquet", "config.yaml", "weights.npz"} <= {
        one.name for one in artifacts(left).iterdir()
    }
    ((_, iteration),) = saved(lab).items()
    (lab / "go").touch()
    for words, said in (
        (("resume=abc",), "resume=abc: expected latest, or the id of a run in experiment nnexp"),
        (
            ("resume=latest", "seed=5"),
            "resume=latest: expected an earlier run of the same settings in experiment nnexp",
        ),
        (
            (f"resume={left.info.run_id}", "seed=5"),
            f"resume={left.info.run_id}: this command's settings differ from that run's; expected the same ones, "
            "or only a longer budget if it has finished",
        ),
        (
            ("-m", "resume=latest"),
            "resume=latest: continues a single run, not a sweep; use sweep.resume with -m",
        ),
    ):
        refused = here(lab, *command, *words)
        assert (refused.returncode, refused.stderr) == (2, f"nnexp: {said}\n")
    done = here(lab, *command, "resume=latest")
    assert done.returncode == 0, done.stderr
    assert f"the run continues from iteration {iteration:,}" in done.stdout
    (run,) = runs(lab)
    assert run.data.tags["nnexp.continued"] == str(iteration)
    assert run.data.tags["nnexp.resumes"] == left.info.run_id
    assert_whole(lab, run, undisturbed(run))
    assert not list(lab.glob("runs/hydra/*/*/checkpoints"))
    again = here(lab, *command, f"resume={run.info.run_id}")
    assert f"run {run.info.run_id} is already recorded and has finished" in again.stdout
    assert len(runs(lab)) == 1


def test_a_sweep_goes_on_in_groups_that_are_composed_otherwise(lab: Path) -> None:
    sizes = ("hydra.launcher.n_jobs=2", "hydra.launcher.group=2")
    process = start(lab, *SWEEP, *sizes, start_new_session=True)
    try:
        # Both runs of updates, and the first of the searches, which are trained one after another.
        wait_for(lambda: sorted(at > 2000 for at in saved(lab).values()) == [True] * 3)
        # What is to be resumed must have been begun in the store.
        wait_for(lambda: in_store(lab, "select 1 from tags where key = 'nnexp.kind' and value = 'sweep'"))
        before, workers = saved(lab), set(children(process.pid))
        os.kill(min(workers), signal.SIGKILL)
        # The sweep trains that worker's group again, from its checkpoint.
        wait_for(lambda: set(children(process.pid)) - workers)
        wait_for(lambda: all(saved(lab)[key] > at for key, at in before.items()))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = saved(lab)
    (folder,) = lab.glob("runs/hydra/*/*/checkpoints")
    (folder / "x.npz").write_bytes(b"PK")
    (lab / "go").touch()
    done = here(lab, *SWEEP, "hydra.launcher.n_jobs=1", "hydra.launcher.group=1", "sweep.resume=true")
    assert done.returncode == 0, done.stderr
    assert "x.npz: damaged (" in done.stdout.replace("\n", "")
    assert "3 runs continue from checkpoints" in done.stdout
    found = runs(lab)
    assert len(found) == 4
    begun = {}
    for run in found:
        assert run.info.status == "FINISHED"
        assert_whole(lab, run, undisturbed(run))
        begun[run.data.tags["nnexp.config_hash"]] = int(run.data.tags.get("nnexp.continued", 0))
    assert {key: at for key, at in begun.items() if at} == left
    assert not list(lab.glob("runs/hydra/*/*/checkpoints"))
