"""The typed config: what is accepted, and one line for what is not."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import pytest

from nnexp.cli.catalogue import kinds
from nnexp.config.places import groups
from nnexp.config.schema import Config, ConfigError, Sweep, Tracking, digest, from_mapping
from nnexp.config.settings import Part, allowed, hints, plain, settings_of
from nnexp.optim import SGD, RandomPerturbation, RandomSearch
from nnexp.training import Seeds

KINDS = [*{kind: None for group in groups() for kind in kinds(group)}, Config]


def changed(name: str, value: Any, **groups: Any) -> dict[str, Any]:
    """The default config as plain values, with one dotted setting changed."""
    values: dict[str, Any] = plain(replace(Config(), **groups))
    *path, last = name.split(".")
    place = values
    for part in path:
        place = place[part]
    place[last] = value
    return values


def test_plain_values_and_config_are_the_same_thing() -> None:
    for optimizer in (RandomSearch(), RandomPerturbation(scale=0.1), SGD(momentum=0.9, batch_size=32)):
        config = Config(seed=7, optimizer=optimizer, seeds=Seeds(init=3))
        assert from_mapping(plain(config)) == config


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", -1, "an integer 0 to 4294967295"),
        ("seed", 1.5, "an integer"),
        ("seed", True, "an integer"),
        ("seed", "a", "an integer"),
        ("seed", None, "an integer"),
        ("dtype", "float16", "one of float32, float64"),
        ("streams", "mine", "one of independent, notebook"),
        ("accumulate", "float16", "float64 or null"),
        ("seeds.init", -1, "an integer 0 or more or null"),
        ("architecture.hidden", [3, 0], "a list of integers, each 1 or more"),
        ("architecture.hidden", [3.5], "a list of integers, each 1 or more"),
        ("architecture.hidden", 3, "a list of integers, each 1 or more"),
        (
            "architecture.activation",
            "relu6",
            "one of linear, relu, sigmoid, softmax, tanh; did you mean relu?",
        ),
        ("architecture.output", 3, "the name of an option, or its settings"),
        ("architecture.output", None, "the name of an option, or its settings"),
        ("architecture.init_scale", -0.1, "a number 0 or more"),
        ("architecture.weights", [["a"]], "a list of numbers or null"),
        ("dataset.samples", 0, "an integer 1 or more"),
        ("dataset.classes", 1, "an integer 2 to 256"),
        ("dataset.classes", 257, "an integer 2 to 256"),
        ("dataset.test_samples", -1, "an integer 0 or more"),
        ("optimizer.learning_rate", -1, "a number above 0"),
        ("optimizer.learning_rate", 0, "a number above 0"),
        ("optimizer.learning_rate", float("nan"), "a number above 0"),
        ("optimizer.learning_rate", float("inf"), "a number above 0"),
        ("optimizer.learning_rate", "fast", "a number above 0"),
        ("optimizer.learning_rate", True, "a number above 0"),
        ("optimizer.momentum", 1.0, "a number 0 or more, below 1"),
        ("optimizer.batch_size", 0, "an integer 1 or more or null"),
        ("loss.clip", 0.5, "a number above 0, below 0.5 or null"),
        ("budget.iterations", 0, "an integer 1 or more or null"),
        ("budget.seconds", 0.0, "a number above 0 or null"),
        ("tracking.experiment", " ", "text that is not empty"),
        ("tracking.log_every", 0, "an integer 1 or more or null"),
        ("tracking.snapshots", 1, "an integer 2 or more"),
        ("tracking.figures", 1, "true or false"),
        ("tracking.uri", 3, "text that is not empty or null"),
        ("sweep.resume", 3, "true or false or text"),
        ("sweep.resume", " ", "true or false or text that is not empty"),
        ("sweep.retries", -1, "an integer 0 or more"),
        ("sweep.retries", True, "an integer 0 or more"),
        ("sweep.fail_fast", 1, "true or false"),
        ("sweep.stale_code", "drop", "one of rerun, keep"),
        ("sweep.trials", 0, "an integer 1 or more or null"),
        ("sweep.at_once", None, "an integer 1 or more"),
        ("sweep.prune", "no", "true or false"),
        ("sweep.sampler_seed", -1, "an integer 0 to 4294967295"),
        ("sweep.grid", 3, "a list of settings or null"),
        ("sweep.grid", {"seed": "0,1"}, "a list of settings or null"),
        ("sweep.grid", [[1]], "a list of settings or null"),
    ],
)
def test_a_bad_value_is_one_line_with_setting_value_and_what_is_allowed(
    name: str, value: Any, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(changed(name, value))
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{name}=")
    assert f"expected {words}" in line


@pytest.mark.parametrize("optimizer", [RandomSearch(), RandomPerturbation()])
@pytest.mark.parametrize(("name", "value"), [("scale", 0), ("scale", -0.05), ("block", 0)])
def test_gradient_free_methods_have_their_own_bounds(optimizer: Any, name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^optimizer\.{name}={value}: expected"):
        from_mapping(changed(f"optimizer.{name}", value, optimizer=optimizer))


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("model", "seed, dtype"),
        ("optimizer.scale", "learning_rate, batch_size, schedule, momentum"),
        ("seeds.noise", "dataset, split, init, batches, method"),
        ("budget.epochs", "iterations, evaluations, seconds"),
    ],
)
def test_an_unknown_setting_is_refused_with_those_that_there_are(name: str, own: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}=1: unknown; expected one of .*{own}"):
        from_mapping(changed(name, 1))


def test_a_key_of_another_option_is_unknown() -> None:
    with pytest.raises(ConfigError, match=r"^loss\.clip=0\.1: unknown; expected one of none$"):
        from_mapping(changed("loss", {"name": "squared_error", "clip": 0.1}))


@pytest.mark.parametrize("group", [f.name for f in fields(Config)])
def test_what_is_left_out_has_its_default(group: str) -> None:
    values = plain(Config())
    del values[group]
    assert from_mapping(values) == Config()
    assert from_mapping({}) == Config()


@pytest.mark.parametrize("value", [None, 3, "sgd", [1]])
def test_a_group_that_is_no_group_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^seeds="):
        from_mapping(changed("seeds", value))


@pytest.mark.parametrize("value", ["sgdd", {"name": "sgdd"}])
def test_an_unknown_option_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^optimizer=sgdd: expected one of .*sgd.*; did you mean sgd\?$"):
        from_mapping(changed("optimizer", value))


@pytest.mark.parametrize("value", [None, 3, ["sgd"], {"learning_rate": 1.0}, {"name": None}])
def test_a_part_that_is_no_part_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^optimizer(\.name)?=.*: expected the name of an option"):
        from_mapping(changed("optimizer", value))


def test_no_budget_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^budget\.iterations=null: expected at least one of"):
        from_mapping(changed("budget.iterations", None))
    assert from_mapping(changed("budget.evaluations", 100)).budget.evaluations == 100


def test_a_config_stays_as_it_was_checked() -> None:
    config = Config()
    with pytest.raises(FrozenInstanceError):
        config.seed = -1  # type: ignore[misc]
    with pytest.raises(ConfigError, match=r"^mlp\.hidden=\[3, 0\]"):
        replace(config.architecture, hidden=[3, 0])  # type: ignore[call-arg]


def test_defaults_are_no_one_else_s() -> None:
    config: Any = Config()
    config.architecture.hidden.append(7)
    assert from_mapping({}).architecture.hidden == [3]  # type: ignore[attr-defined]
    given: Any = {"architecture": {"name": "mlp", "hidden": [5]}}
    made: Any = from_mapping(given)
    made.architecture.hidden.append(7)
    assert given["architecture"]["hidden"] == [5]
    assert from_mapping({"architecture": "wide"}) == from_mapping({"architecture": {"name": "wide"}})


def test_whole_numbers_are_numbers() -> None:
    made = from_mapping(changed("optimizer.learning_rate", 1))
    assert isinstance(made.optimizer, SGD)
    assert isinstance(made.optimizer.learning_rate, float)


def test_a_digest_tells_apart_what_trains_differently_and_nothing_else() -> None:
    one = digest(Config())
    assert one == digest(Config(tracking=Tracking(experiment="other", figures=False)))
    assert one == digest(Config(sweep=Sweep(resume=True, retries=3, grid=[{"seed": "0,1"}])))
    others = {
        digest(Config(seed=1)),
        digest(Config(optimizer=RandomPerturbation())),
        digest(Config(dtype="float64")),
    }
    assert len(others | {one}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_says_what_it_is_and_what_it_may_be(kind: type) -> None:
    assert is_dataclass(kind)
    for f in settings_of(kind):
        # Whole groups of settings, and parts that a config group has, are told about in their place.
        if not is_dataclass(hints(kind)[f.name]) or (issubclass(kind, Part)):
            assert f.metadata["about"]
            assert allowed(kind, f.name)
