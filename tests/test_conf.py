"""Every config file: composed as the command line composes it, checked, and made into a run that trains."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest
import yaml
from nnexp.training.session import Session, prepare

from nnexp.config.places import conf, groups
from nnexp.config.schema import Config, ConfigError
from nnexp.config.settings import hints, options
from nnexp.sweep.compose.jobs import compose, expand, representatives

POINTS = ["dataset.inputs=[[1.0,2.0],[0.5,1.5]]", "dataset.targets=[[1.0,0.0],[0.0,1.0]]"]

NEEDS = {"dataset=points": [*POINTS, "loss=squared_error", "architecture.output=linear"]}
"""What an option cannot be without."""

OPTIONS = [
    f"{'+' if group == 'experiment' else ''}{group}={option}"
    for group, names in groups().items()
    for option in names
]


def composed(*overrides: str) -> Config:
    return next(compose([overrides]))


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_trains(option: str) -> None:
    short = [] if option.startswith("budget=") else ["budget.iterations=3"]
    config = composed(option, *NEEDS.get(option, []), *short)
    config.budget.iterations = 3
    session = Session(prepare(config))
    for _ in session.run():
        pass
    assert session.status == "finished"
    assert session.iterations == 3


def test_the_default_is_the_config_s_own() -> None:
    assert composed() == Config()


@pytest.mark.parametrize("group", [name for name in groups() if name != "experiment"])
def test_each_option_says_its_own_settings_and_no_others(group: str) -> None:
    kinds = options(hints(Config)[group])
    for option in groups()[group]:
        values = yaml.safe_load((conf() / group / f"{option}.yaml").read_text(encoding="utf-8"))
        if "defaults" in values:
            continue
        kind = kinds.get(values.get("name", ""))
        assert kind is not None, option
        assert set(values) == {f.name for f in fields(kind)}


@pytest.mark.parametrize("method", ["random", "perturb", "sgd"])
def test_options_agree_with_the_defaults_that_help_shows(method: str) -> None:
    made = composed(f"optimizer={method}").optimizer
    for f in fields(type(made)):
        if f.name != "name" and f.default is not MISSING:
            assert getattr(made, f.name) == f.default


def test_the_notebook_s_experiment_leaves_the_method_open() -> None:
    for method in ("random", "perturb"):
        config = composed("+experiment=notebook", f"optimizer={method}")
        assert (config.seed, config.streams, config.accumulate) == (123, "notebook", "float64")
        assert config.optimizer.name == method


def test_experiments_can_be_changed_further() -> None:
    config = composed("+experiment=notebook", "optimizer=perturb", "seed=7", "budget.iterations=50")
    assert (config.seed, config.budget.iterations) == (7, 50)


def test_bad_values_are_found_by_composing() -> None:
    with pytest.raises(ConfigError, match=r"^optimizer\.learning_rate=-1"):
        composed("optimizer.learning_rate=-1")


def test_a_sweep_is_every_combination_in_order() -> None:
    jobs = expand(["optimizer=random,sgd", "seed=range(0,2)", "dtype=float64"])
    assert jobs == [
        [f"optimizer={method}", f"seed={seed}", "dtype=float64"]
        for method in ("random", "sgd")
        for seed in (0, 1)
    ]


def test_representatives_hold_every_override_but_not_every_job() -> None:
    jobs = expand(["optimizer=random,perturb", "optimizer.scale=0.1,-1,0.3", "seed=range(0,50)"])
    chosen = representatives(jobs)
    assert len(chosen) < 10
    seen = {override for job in chosen for override in job if not override.startswith("seed")}
    assert seen == {override for job in jobs for override in job if not override.startswith("seed")}
