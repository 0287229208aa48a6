"""Grids: which jobs a sweep has."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from statistics import mean
from typing import Any

import pytest
from hydra_jobs import hydra_sweep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnexp.cli.errors import one_line
from nnexp.config.schema import ConfigError
from nnexp.sweep.compose.grid import expand


@pytest.fixture(scope="module")
def loader() -> Iterator[Any]:
    with hydra_sweep() as (loader, _):
        yield loader


def jobs(loader: Any, blocks: Any, *arguments: str) -> list[list[str]]:
    return expand(arguments, blocks, loader).jobs


def test_only_sgd_has_a_learning_rate(loader: Any) -> None:
    blocks = [
        {"optimizer": "random,perturb", "optimizer.scale": 0.1},
        {"optimizer": "sgd", "optimizer.learning_rate": "0.1,1"},
    ]
    assert jobs(loader, blocks, "seed=0,1", "dtype=float64") == [
        [*method, f"seed={seed}", "dtype=float64"]
        for method in (
            ["optimizer=random", "optimizer.scale=0.1"],
            ["optimizer=perturb", "optimizer.scale=0.1"],
            ["optimizer=sgd", "optimizer.learning_rate=0.1"],
            ["optimizer=sgd", "optimizer.learning_rate=1"],
        )
        for seed in (0, 1)
    ]


def test_zipped_axes_go_side_by_side_and_multiply_with_others(loader: Any) -> None:
    block = {"zip": {"architecture.hidden": "[3],[4,4]", "budget.iterations": "10,20"}, "seed": "range(0,2)"}
    assert jobs(loader, [block]) == [
        [f"seed={seed}", *pair]
        for seed in (0, 1)
        for pair in (
            ["architecture.hidden=[3]", "budget.iterations=10"],
            ["architecture.hidden=[4,4]", "budget.iterations=20"],
        )
    ]


def numbers(loader: Any, text: str, samples: int, seed: int = 0) -> list[float]:
    block = {"optimizer.learning_rate": text, "samples": samples, "sample_seed": seed}
    return [float(job[0].split("=")[1]) for job in jobs(loader, [block])]


def test_log_uniform_draws(loader: Any) -> None:
    drawn = numbers(loader, "tag(log, interval(0.01, 100))", 4000)
    assert min(drawn) >= 0.01
    assert max(drawn) <= 100
    # The logarithm is uniform between -4.6 and 4.6: its mean is 0 with a standard error of 0.04.
    assert abs(mean(log(value) for value in drawn)) < 0.2
    assert 0.22 < mean(value < 0.1 for value in drawn) < 0.28


def test_uniform_draws(loader: Any) -> None:
    drawn = numbers(loader, "interval(0, 2)", 4000)
    assert abs(mean(drawn) - 1) < 0.05
    whole = numbers(loader, "int(interval(1, 3))", 300)
    assert set(whole) == {1, 2, 3}


def test_draws_come_from_their_seed_and_more_begin_with_the_same(loader: Any) -> None:
    text = "tag(log, interval(0.01, 100))"
    assert numbers(loader, text, 5) == numbers(loader, text, 9)[:5]
    assert numbers(loader, text, 5) != numbers(loader, text, 5, seed=1)
    block = {"optimizer.learning_rate": text, "optimizer.momentum": "interval(0, 0.5)", "samples": 5}
    both = [job[0].split("=")[1] for job in jobs(loader, [block])]
    assert [float(value) for value in both] == numbers(loader, text, 5)


def test_the_command_line_chooses_from_the_grid(loader: Any) -> None:
    blocks = [
        {"optimizer": "random,perturb", "optimizer.scale": "0.1,0.2"},
        {"optimizer": "sgd", "optimizer.learning_rate": "0.1,1"},
    ]
    assert jobs(loader, blocks, "optimizer=sgd", "seed=3") == [
        ["optimizer=sgd", f"optimizer.learning_rate={rate}", "seed=3"] for rate in ("0.1", "1")
    ]
    assert jobs(loader, blocks, "optimizer.scale=0.2") == [
        [f"optimizer={method}", "optimizer.scale=0.2"] for method in ("random", "perturb")
    ]


def test_jobs_that_repeat_others_are_left_out_and_counted(loader: Any) -> None:
    blocks = [{"seed": "0,1,1"}, {"seed": "range(1,3)"}]
    assert expand([], blocks, loader) == ([["seed=0"], ["seed=1"], ["seed=2"]], 2, [])
    assert expand(["seed=1,1", "dtype=float64"], None, loader) == ([["seed=1", "dtype=float64"]], 1, [])


@pytest.mark.parametrize(
    ("blocks", "line"),
    [
        ([], "sweep.grid=[]: expected one or more blocks of axes, or null"),
        ([{}], "sweep.grid[0]: expected one or more axes, such as seed: range(0,3)"),
        (
            [{"seed": "0"}, {"samples": 3}],
            "sweep.grid[1]: expected one or more axes, such as seed: range(0,3)",
        ),
        ([{"seed": "0,"}], "sweep.grid[0].seed=0,: expected values in Hydra's sweep syntax, such as ..."),
        (
            [{"hydra.job.name": "a,b"}],
            "sweep.grid[0].hydra.job.name=a,b: expected setting: values, ...",
        ),
        ([{"sweep": "zipped"}], "sweep.grid[0].sweep=zipped: expected setting: values, ..."),
        ([{1: "2"}], "sweep.grid[0].1=2: expected setting: values, ..."),
        ([{"zip": {"seed": "0,1"}}], "sweep.grid[0].zip={'seed': '0,1'}: expected two or more axes"),
        ([{"zip": "seed"}], "sweep.grid[0].zip=seed: expected two or more axes"),
        (
            [{"zip": {"seed": "0,1", "dataset.samples": "1,2,3"}}],
            "sweep.grid[0].zip: expected axes with equal numbers of values; seed has 2, dataset.samples has 3",
        ),
        (
            [{"seed": "1", "zip": {"seed": "0,1", "dtype": "float32,float64"}}],
            "sweep.grid[0].zip.seed: given twice, ...",
        ),
        (
            [{"zip": {"seed": "int(interval(0,1))", "dtype": "float32"}}],
            "sweep.grid[0].zip.seed: expected values; ...",
        ),
        ([{"loss.clip": "interval(0,1)"}], "sweep.grid[0].samples=null: expected an integer 1 or more"),
        (
            [{"loss.clip": "interval(0,1)", "samples": 0}],
            "sweep.grid[0].samples=0: expected an integer 1 or more",
        ),
        (
            [{"loss.clip": "interval(0,1)", "samples": 1, "sample_seed": "a"}],
            "sweep.grid[0].sample_seed=a: expected an integer 0 or more",
        ),
        (
            [{"seed": "0,1", "samples": 3}],
            "sweep.grid[0].samples=3: only used with an interval(low, high), and the block has none",
        ),
        (
            [{"loss.clip": "tag(log, interval(0,1))", "samples": 3}],
            "sweep.grid[0].loss.clip=tag(log, interval(0,1)): expected an interval(low, high) with 0 < low < high",
        ),
        (
            [{"loss.clip": "interval(2,1)", "samples": 3}],
            "sweep.grid[0].loss.clip=interval(2,1): expected an interval(low, high) with low < high",
        ),
        ([{"seed": "choice()"}], "sweep.grid[0].seed=choice(): expected ..."),
        ([{"seed": "range(3,3)"}], "sweep.grid[0].seed=range(3,3): ..."),
    ],
)
def test_a_bad_grid_is_one_line_that_names_the_setting(loader: Any, blocks: Any, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        jobs(loader, blocks)
    said = one_line(caught.value, [])
    start, dots, _ = line.partition("...")
    assert said.startswith(start) if dots else said == line
    assert "\n" not in said


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        (
            "optimizer=random",
            "optimizer=random: expected one of the values of the sweep's grid, perturb, sgd",
        ),
        ("sweep=methods,zipped", "sweep=methods,zipped: expected one value for the whole sweep"),
        ("sweep.retries=1,2", "sweep.retries=1,2: expected one value for the whole sweep"),
        (
            "optimizer.scale=interval(0,1)",
            "optimizer.scale=interval(0,1): expected values; to search an interval with Optuna, ...",
        ),
    ],
)
def test_arguments_that_do_not_fit_a_grid(loader: Any, argument: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        jobs(loader, [{"optimizer": "sgd,perturb"}], argument)
    assert str(caught.value).startswith(line.partition("...")[0])


ARGUMENTS = st.lists(
    st.sampled_from(
        ["seed=range(0,3)", "seed=1,2", "optimizer=random,sgd", "optimizer=glob(*)", "dtype=float64", "+a=1,'b c'",
         "architecture.hidden=[3],[4,5]", "~loss.clip", "loss=null", "++b={c:1}", "tracking.experiment='x, y'",
         "optimizer.learning_rate=range(0.1,0.4,step=0.1)", "seeds.init=choice(1,2,3)", "tracking.uri=\"a\"",
         "budget.iterations=sort(3,1,2)", "dataset.samples=10"]
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arguments=ARGUMENTS)
def test_without_a_grid_the_jobs_are_those_of_hydra_s_own_sweeper(loader: Any, arguments: list[str]) -> None:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    ((*expected,),) = BasicSweeper.split_arguments(parsed, None)
    assert expand(arguments, None, loader) == (expected, 0, [])
