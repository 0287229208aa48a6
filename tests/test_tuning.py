"""Tuning: Optuna searches intervals, with as many trials for each method."""

from __future__ import annotations

import csv
import math
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, here, runs
from hydra.core.override_parser.overrides_parser import OverridesParser

from nnexp.cli.errors import one_line
from nnexp.config.schema import ConfigError, Sweep
from nnexp.sweep.compose.axes import parsed
from nnexp.sweep.compose.grid import Study
from nnexp.sweep.compose.jobs import check, plan
from nnexp.sweep.tuned import report
from nnexp.sweep.tuning import left_out, tune


def needs_optuna() -> None:
    if "optuna" not in os.environ.get("NNEXP_REQUIRE", "").split(","):
        pytest.importorskip("optuna")


def study(fixed: str, *axes: str, seeds: int = 1) -> Study:
    parser = OverridesParser.create()
    return Study(
        [fixed], tuple(parsed(parser, axis) for axis in axes), [[f"seed={seed}"] for seed in range(seeds)]
    )


def number(job: list[str], key: str) -> float:
    return next(float(override.split("=")[1]) for override in job if override.startswith(f"{key}="))


def bowl(jobs: list[list[str]]) -> list[float]:
    """Least at x = 0.3; seeds differ by a hundredth."""
    return [math.log(number(job, "x") / 0.3) ** 2 + 0.01 * number(job, "seed") for job in jobs]


RATE = "x=tag(log,interval(0.001,10))"


def test_each_study_has_as_many_trials_and_ends_near_its_best() -> None:
    needs_optuna()
    one, other = tune([study("a=1", RATE), study("a=2", RATE)], Sweep(trials=40, prune=False), bowl)
    assert [len(tuned.attempts) for tuned in (one, other)] == [40, 40]
    assert one.best.settings[0] == "a=1"
    assert 0.2 < number(one.best.settings, "x") < 0.45
    # The same seed chooses alike for every method.
    assert [a.settings[1] for a in one.attempts] == [a.settings[1] for a in other.attempts]


def test_a_search_is_better_than_its_own_beginning() -> None:
    needs_optuna()
    (tuned,) = tune([study("a=1", RATE)], Sweep(trials=48, at_once=4), bowl)
    values = [attempt.value for attempt in tuned.attempts]
    assert sorted(values[-16:])[8] < sorted(values[:16])[8]


def test_trials_repeat_with_the_sampler_s_seed_alone() -> None:
    needs_optuna()

    def settings(seed: int) -> list[Any]:
        (tuned,) = tune(
            [study("a=1", RATE, "n=int(interval(1,9))")], Sweep(trials=12, sampler_seed=seed), bowl
        )
        return [attempt.settings for attempt in tuned.attempts]

    assert settings(0) == settings(0)
    assert settings(0) != settings(1)
    assert {float(job[2].split("=")[1]) for job in settings(0)} <= set(range(1, 10))


def test_rounds_hold_as_many_trials_of_each_study_as_asked_at_once() -> None:
    needs_optuna()
    launched: list[int] = []

    def launch(jobs: list[list[str]]) -> list[float]:
        launched.append(len(jobs))
        return bowl(jobs)

    tune(
        [study("a=1", RATE, seeds=2), study("a=2", RATE, seeds=2)],
        Sweep(trials=7, at_once=3, prune=False),
        launch,
    )
    assert launched == [12, 12, 4]


def test_pruned_trials_end_after_a_third_of_their_jobs() -> None:
    needs_optuna()
    (tuned,) = tune([study("a=1", RATE, seeds=6)], Sweep(trials=24, at_once=4), bowl)
    assert Counter(len(attempt.values) for attempt in tuned.attempts if attempt.pruned).keys() == {2}
    assert {len(attempt.values) for attempt in tuned.attempts if not attempt.pruned} == {6}
    assert not any(attempt.pruned for attempt in tuned.attempts[:4])
    assert left_out([tuned]) == 4 * sum(attempt.pruned for attempt in tuned.attempts) > 0
    assert not tuned.best.pruned


def test_jobs_that_fail_are_the_worst(tmp_path: Path) -> None:
    needs_optuna()

    def failing(jobs: list[list[str]]) -> list[float]:
        return [
            math.nan if number(job, "x") > 0.5 else value for job, value in zip(jobs, bowl(jobs), strict=True)
        ]

    (tuned,) = tune([study("a=1", RATE)], Sweep(trials=12), failing)
    assert number(tuned.best.settings, "x") <= 0.5
    (none,) = tune([study("a=1", RATE)], Sweep(trials=5), lambda jobs: [math.inf] * len(jobs))
    assert none.best.value == math.inf
    assert "loss inf" in report([none], tmp_path, [])[-1]


def test_each_method_is_tuned_and_the_best_can_be_compared(tmp_path: Path) -> None:
    needs_optuna()
    small = [
        "dataset.samples=20",
        "dataset.test_samples=10",
        "tracking=lean",
        "sweep.trials=3",
        "sweep.at_once=2",
        "budget.evaluations=200",
        "seed=0,1,2",
    ]
    done = here(tmp_path, "-m", "sweep=tuned_methods", *small)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Resume" not in done.stdout
    assert (
        len(
            re.findall(r"^tuned optimizer=\w+ .*: loss \d.*3 trials, \d pruned\)$", done.stdout, re.MULTILINE)
        )
        == 3
    )
    (parent,) = runs(tmp_path, "sweep")
    recorded = Path(parent.info.artifact_uri.removeprefix("file://"))
    (table,) = (tmp_path / "runs" / "hydra").rglob("trials.csv")
    assert (recorded / "trials.csv").read_bytes() == table.read_bytes()
    assert (recorded / "sweep" / "tuned.yaml").is_file()
    trials = list(csv.DictReader(table.read_text().splitlines()))
    assert Counter(trial["settings"].split(" ")[0] for trial in trials) == {
        f"optimizer={method}": 3 for method in ("random", "perturb", "sgd")
    }
    made = runs(tmp_path)
    assert len(made) == sum(int(trial["jobs"]) for trial in trials)
    assert len({run.data.tags["nnexp.sweep_id"] for run in made}) == 1
    assert parent.info.status == "FINISHED"
    line = re.search(r"^Compare them on other seeds: python -m nnexp.run (.*)$", done.stdout, re.MULTILINE)
    assert line
    listed = here(tmp_path, "--dry-run", *shlex.split(line[1]))
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.endswith("60 jobs, nothing trained\n")
    assert "dataset.samples=20" in listed.stdout
    again = here(tmp_path, "-m", "sweep=tuned_methods", *small, "sweep.resume=true")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(runs(tmp_path)) == len(made)
    assert re.findall(r"^tuned .*", again.stdout, re.MULTILINE) == re.findall(
        r"^tuned .*", done.stdout, re.MULTILINE
    )


def test_any_launcher_and_the_command_line_s_own_interval(tmp_path: Path) -> None:
    needs_optuna()
    done = here(tmp_path, "-m", "hydra/launcher=basic", "sweep.trials=2", *SMALL,
                 "optimizer.learning_rate=tag(log,interval(0.1,1))")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(0.1 <= float(run.data.params["optimizer.learning_rate"]) <= 1 for run in runs(tmp_path))
    assert len(runs(tmp_path)) == 2


def test_the_ends_of_intervals_are_checked_and_trials_listed() -> None:
    needs_optuna()
    made = plan(["sweep=tuned_methods", "seed=0,1"])
    check(made.jobs)
    assert made.most == 3 * 24 * 2
    assert made.lines[2].endswith("optimizer.momentum=interval(0, 0.95): 24 trials of 2 jobs")
    with pytest.raises(ConfigError, match=r"^optimizer\.momentum=2\.0: expected a number 0 or more, below 1"):
        check(plan(["sweep.trials=3", "optimizer.momentum=interval(0,2)"]).jobs)


def test_trials_without_an_interval_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(["sweep.trials=3", "seed=0,1"])
    assert (
        one_line(caught.value, [])
        == "sweep.trials=3: expected an axis to search, such as optimizer.learning_rate=interval(0.01,1)"
    )


def test_without_optuna_it_is_asked_for_before_anything_begins(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['optuna'] = None; from nnexp.run import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-m", "sweep=tuned_methods"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "nnexp: sweep.trials=24: Optuna is not installed; pip install 'nnexp[optuna]'\n"
    assert not list(tmp_path.iterdir())
