"""Every config file: composed as the command line composes it, checked, and made into a run that trains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from nnexp.cli.catalogue import kinds
from nnexp.config.modules import import_target
from nnexp.config.places import conf, groups
from nnexp.config.schema import Config, ConfigError
from nnexp.config.settings import Part, hints, load_part, part_hint, plain, settings_of
from nnexp.network import Activation
from nnexp.sweep.compose.jobs import compose, expand, representatives
from nnexp.sweep.compose.loader import command_hydra
from nnexp.training import train
from tests.data_files import needs

POINTS = ["dataset.inputs=[[1.0,2.0],[0.5,1.5]]", "dataset.targets=[[1.0,0.0],[0.0,1.0]]"]

IMAGES = [
    *("dataset=points", f"dataset.inputs={[[0.1 * at for at in range(16)]]}".replace(" ", "")),
    *("dataset.targets=[[1.0,0.0]]", "architecture.shape=[1,4,4]"),
]
NUMBERS = ["loss=squared_error", "architecture.output=linear"]

NEEDS = {
    "dataset=points": [*POINTS, *NUMBERS],
    "dataset=sine": NUMBERS,
    "dataset=diabetes": NUMBERS,
    "architecture=cnn": IMAGES,
    "optimizer=cma_es": ["budget.iterations=3"],
    "loss=binary_cross_entropy": ["architecture.output=sigmoid"],
    **{f"metrics=[{name}]": ["dataset=sine", *NUMBERS] for name in ("rmse", "r2")},
    **{f"loss={name}": ["architecture.output=linear"] for name in ("absolute_error", "huber")},
}
"""What an option cannot be without."""

PARTS = sorted(
    path
    for path in conf().rglob("*.yaml")
    if re.search(r"^_target_:", path.read_text(encoding="utf-8"), re.M)
)
"""The conf files that choose a part."""


def group_of(path: Path) -> str:
    return path.parent.relative_to(conf()).as_posix()


def place_of(path: Path) -> str:
    return path.relative_to(conf()).as_posix()


def own_values(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings of a conf file, and the options that its defaults list takes for parts in it."""
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    chosen = [one for one in values.pop("defaults", []) if one != "_self_"]
    return values, {key: option for one in chosen for key, option in one.items()}


def part_of(path: Path) -> type[Part]:
    kind: type[Part] = import_target(place_of(path), own_values(path)[0]["_target_"])
    return kind


def override(group: str, option: str) -> str:
    """What chooses an option on the command line."""
    if group == "experiment":
        return f"+{group}={option}"
    if group == "architecture/activation" and not load_part(group, option, Activation).elementwise:
        return f"architecture.output={option}"
    if group == "metric":
        return f"metrics=[{option}]"
    return f"{group.replace('/', '.')}={option}"


OPTIONS = [
    override(group, option)
    for group, names in groups().items()
    for option in names
    # A layer alone is no network: test_layers trains them.
    # The experiments on MNIST are for images of its size.
    if group != "architecture/layer" and not option.startswith("mnist_")
]


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    """One Hydra for all tests, as for all jobs of a sweep: what they have in common is composed once."""
    with command_hydra():
        yield


def composed(*overrides: str) -> Config:
    return next(compose([overrides]))


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_trains(option: str, tmp_path: Path) -> None:
    files = needs(option.removeprefix("dataset="), tmp_path)
    given = [f"dataset.{name}={value}" for name, value in files.items()]
    config = composed(option, *NEEDS.get(option, []), *given)
    short = replace(config.budget, iterations=3, evaluations=None)
    (run,) = train(replace(config, budget=short))
    assert run.status == "finished"
    assert run.iterations == 3


def test_the_default_is_the_config_s_own() -> None:
    assert composed() == Config()


def test_every_part_has_a_conf_file_and_every_conf_file_a_part() -> None:
    assert len(PARTS) > 10
    whole = {f.name for f in fields(Config) if part_hint(hints(Config)[f.name]) is None} | {"experiment"}
    assert {group_of(path) for path in PARTS} == set(groups()) - whole


@pytest.mark.parametrize("path", PARTS, ids=place_of)
def test_a_part_s_conf_file_is_where_its_family_is_looked_for(path: Path) -> None:
    kind, (values, _) = part_of(path), own_values(path)
    assert kind.group == group_of(path)
    assert values["name"] == path.stem
    assert issubclass(kind, Part)


@pytest.mark.parametrize("path", PARTS, ids=place_of)
def test_a_part_s_conf_file_has_its_class_s_settings_and_no_others(path: Path) -> None:
    values, chosen = own_values(path)
    assert [*values][:2] == ["_target_", "name"]
    assert sorted([*values, *chosen]) == sorted(
        ["_target_", "name", *(f.name for f in settings_of(part_of(path)))]
    )


@pytest.mark.parametrize("path", PARTS, ids=place_of)
def test_a_part_s_conf_file_loads(path: Path) -> None:
    kind, (values, chosen) = part_of(path), own_values(path)
    made = load_part("part", values | chosen, kind)
    assert made == load_part("part", path.stem, kind)
    for name, value in (values | chosen).items():
        # Lists of layers may hold settings of single ones.
        if name not in ("_target_", "layers"):
            assert value in (plain(getattr(made, name)), names(getattr(made, name)))


def names(value: Any) -> Any:
    """The name of a part, or those of a list of parts."""
    return [names(item) for item in value] if isinstance(value, list) else getattr(value, "name", None)


@pytest.mark.parametrize("path", PARTS, ids=place_of)
def test_the_option_of_a_class_s_own_name_has_its_defaults(path: Path) -> None:
    kind, (values, chosen) = part_of(path), own_values(path)
    if kind().name == path.stem:
        assert load_part("part", values | chosen, kind) == kind()
    else:
        assert (path.parent / f"{kind().name}.yaml").is_file()


@pytest.mark.parametrize("path", PARTS, ids=place_of)
def test_comments_say_what_settings_say_themselves(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    commented = dict(
        match.groups() for line in lines if (match := re.fullmatch(r"(\w+): .*?(?: # (.*))?", line))
    )
    for f in settings_of(part_of(path)):
        # A list over many lines has its comment above.
        if f.name in commented:
            assert commented[f.name] == f.metadata["about"]


SETTINGS = [group for group in groups() if group in hints(Config) and part_hint(hints(Config)[group]) is None]
"""Groups of settings that are no part."""


@pytest.mark.parametrize("group", SETTINGS)
def test_options_of_other_groups_have_their_settings_and_no_others(group: str) -> None:
    (kind,) = kinds(group)
    names = {f.name for f in settings_of(kind)}
    for option in groups()[group]:
        values = yaml.safe_load((conf() / group / f"{option}.yaml").read_text(encoding="utf-8"))
        # What builds on another option says only what differs.
        others = values.pop("defaults", None)
        assert set(values) <= names
        assert others or set(values) == names


def test_the_notebook_s_experiment_leaves_the_method_open() -> None:
    for method in ("random", "perturb"):
        config = composed("+experiment=notebook", f"optimizer={method}")
        assert (config.seed, config.streams, config.accumulate) == (123, "notebook", "float64")
        assert config.optimizer.name == method


def test_experiments_can_be_changed_further() -> None:
    config = composed("+experiment=notebook", "optimizer=perturb", "seed=7", "budget.iterations=50")
    assert (config.seed, config.budget.iterations) == (7, 50)


def test_an_option_may_be_named_wherever_a_part_is_expected() -> None:
    one = composed("architecture.activation=tanh", "optimizer.schedule=constant")
    assert one == composed("+architecture/activation=tanh", "optimizer/schedule=constant")
    assert one.architecture == replace(Config().architecture, activation="tanh")  # type: ignore[call-arg]


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
