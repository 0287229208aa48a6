"""The jobs of a command: expanded by grids, all checked before the first one starts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from commands import SMALL, here, runs
from hydra_jobs import hydra_sweep
from readme import guide

from nnexp.config.schema import ConfigError
from nnexp.sweep.compose.grid import expand
from nnexp.sweep.compose.jobs import as_axes, check, compose, plan
from nnexp.sweep.launcher import trial


@pytest.mark.parametrize("option", ["methods", "learning_rates", "zipped"])
def test_every_grid_s_jobs_can_be(option: str) -> None:
    made = plan([f"sweep={option}", "seed=0,1"])
    check(made.jobs)
    assert len(made.jobs) > 4
    assert made.repeated == 0
    for job in made.jobs:
        assert ("learning_rate" in job.task["optimizer"]) == (job.task["optimizer"]["name"] == "sgd")
        assert {o.split("=")[0] for o in job.overrides} >= {"optimizer", "sweep", "seed"}


def test_the_grid_of_methods_gives_each_its_own_settings() -> None:
    kinds = Counter(
        tuple(o.split("=")[0] if "." in o else o for o in job.overrides)
        for job in plan(["sweep=methods"]).jobs
    )
    assert kinds == {
        ("optimizer=random", "optimizer.scale", "sweep=methods"): 3,
        ("optimizer=perturb", "optimizer.scale", "sweep=methods"): 3,
        ("optimizer=sgd", "optimizer.learning_rate", "sweep=methods"): 4,
    }


def test_a_clash_in_one_job_alone_is_found() -> None:
    made = plan(["loss=cross_entropy,squared_error", "architecture.output=softmax,relu", "seed=range(0,3)"])
    with pytest.raises(ConfigError, match=r"^loss=cross_entropy after output=relu: expected"):
        check(made.jobs)
    fine = [
        job for job in made.jobs if {"loss=cross_entropy", "architecture.output=relu"} - set(job.overrides)
    ]
    assert check(fine).architecture.name == "mlp"


def test_a_setting_of_the_swept_methods_is_known() -> None:
    made = plan(
        ["optimizer=random,perturb", "optimizer.scale=0.1", "loss.clip=null", "tracking.experiment='a b'"]
    )
    check(made.jobs)
    assert [job.task["optimizer"]["scale"] for job in made.jobs] == [0.1, 0.1]
    assert {job.task["tracking"]["experiment"] for job in made.jobs} == {"a b"}


def test_flags_and_what_stands_for_itself_are_not_made_axes() -> None:
    same = ["-m", "--config-dir", "own.d", "seed=1", "loss=null", "sweep.resume=x", "hydra.sweep.dir=a"]
    same += ["~loss.clip", "+optimizer.more=1", "loss.clip=1,2", "tracking.uri=sqlite:///a", "loss.clip=NULL"]
    assert as_axes(same) == same
    assert as_axes(["optimizer.scale=0.1"]) == ["optimizer.scale=choice(0.1)"]
    assert as_axes(["architecture.hidden=[3,4]"]) == ["architecture.hidden=choice([3,4])"]


def test_a_config_may_refer_to_its_job(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    text = "# @package _global_\nseed: ${hydra:job.num}\nseeds:\n  init: ${seed}\n"
    (tmp_path / "own" / "counted.yaml").write_text(text)
    path = f"hydra.searchpath=[file://{tmp_path}]"
    made = list(compose([[path, "+own=counted", f"optimizer={method}"] for method in ("random", "sgd")]))
    assert [(config.seed, config.seeds.init) for config in made] == [(0, 0), (1, 1)]


def test_a_grid_runs_and_its_repeated_jobs_are_said(tmp_path: Path) -> None:
    done = here(tmp_path, "-m", "sweep=methods", "optimizer.scale=0.05", "seed=0,1,1", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "2 jobs that repeat others are left out\n" in done.stdout
    made = sorted((run.data.params["optimizer.name"], run.data.params["seed"]) for run in runs(tmp_path))
    assert made == [("perturb", "0"), ("perturb", "1"), ("random", "0"), ("random", "1")]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["-m", "sweep=methods", "optimizer=sgdd"],
            "optimizer=sgdd: unknown; expected one of ",
        ),
        (
            ["-m", "sweep=methods", "optimizer.momentum=2"],
            "optimizer.momentum=2: unknown; expected one that all have",
        ),
        (
            ["-m", "sweep=none"],
            "sweep=none: unknown; expected one of ablation, all_methods, default",
        ),
        (["-m", "sweep.grid=3"], "sweep.grid=3: expected a list of settings or null"),
        (
            ["-m", "sweep.grid=[{zip:{seed:'0,1',dtype:float64}}]"],
            "sweep.grid[0].zip: expected axes with equal numbers of values",
        ),
        (
            ["-m", "sweep.grid=[{seed:'0,1',samples:2}]"],
            "sweep.grid[0].samples=2: only used with an interval",
        ),
        (["-m", "sweep.retries=-1"], "sweep.retries=-1: expected an integer 0 or more"),
        (
            ["-m", "hydra.sweeper.max_batch_size=0"],
            "hydra.sweeper.max_batch_size=0: expected an integer 1 or more, or null",
        ),
        (["--dry-run", "-m", "sweep.grid=[{}]"], "sweep.grid[0]: expected one or more axes"),
        (["--dry-run", "-m", "sweep=methods,zipped"], "sweep=methods,zipped: expected one value"),
        (["sweep=methods"], "sweep.grid: a grid is for a sweep, so add -m"),
        (
            ["-m", "sweep=methods", "hydra/sweeper=basic"],
            "sweep.grid: can only be used with hydra/sweeper=grid, not with BasicSweeper",
        ),
    ],
)
def test_a_bad_grid_is_one_line_and_leaves_no_run(tmp_path: Path, arguments: list[str], line: str) -> None:
    done = here(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"nnexp: {line}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_a_dry_run_lists_a_grid(tmp_path: Path) -> None:
    done = here(tmp_path, "--dry-run", "-m", "sweep=methods", "seed=0,0")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == [
        "10 jobs that repeat others are left out",
        "10 jobs, nothing trained",
    ]
    assert re.search(
        r"^   9  optimizer=sgd optimizer.learning_rate=3 sweep=methods seed=0$", done.stdout, re.MULTILINE
    )
    assert not list(tmp_path.iterdir())


def test_the_readme_s_grid_is_one() -> None:
    (grid,) = (
        block for block in re.findall(r"```yaml\n(.*?)```", guide("tuning"), re.DOTALL) if "grid:" in block
    )
    blocks = yaml.safe_load(grid)["grid"]
    with hydra_sweep() as (loader, _):
        jobs = expand([], blocks, loader).jobs
    kinds = Counter(tuple(o if o.startswith("optimizer=") else o.split("=")[0] for o in job) for job in jobs)
    assert kinds == {
        ("optimizer=random", "optimizer.scale"): 2,
        ("optimizer=perturb", "optimizer.scale"): 2,
        ("optimizer=sgd", "architecture.hidden", "budget.iterations", "optimizer.learning_rate"): 8,
    }


def test_a_config_that_was_checked_is_trained_and_not_checked_once_more() -> None:
    (first, other), (again, _) = (plan(["seed=0,1"]).jobs for _ in range(2))
    check([first, other])
    assert trial(again, "nnexp", first).config is first.checked
    assert trial(again, "nnexp", None).config == first.checked
    # A key may have another value each time that it is composed.
    assert trial(again, "nnexp", other).config == first.checked
