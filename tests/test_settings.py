"""Settings and parts: what a field knows, what a conf file's values become, what a group may share."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from nnexp.config.schema import Config
from nnexp.config.settings import (
    ConfigError,
    Each,
    NotEmpty,
    Part,
    Range,
    allowed,
    build,
    group_key,
    kinds_of,
    load_part,
    plain,
    setting,
    settings_of,
    stack,
    take,
)
from nnexp.network import MLP, Activation, Architecture, ReLU, Softmax
from nnexp.optim import SGD, Method, RandomPerturbation, RandomSearch
from nnexp.optim.schedules import Constant


@dataclass(frozen=True)
class Spring(Part):
    """A family of one."""

    group: ClassVar[str] = "spring"


@dataclass(frozen=True)
class Coil(Spring):
    """A part that is in another."""

    stiffness: float = setting(1.0, "force a length", Range(0), per_run=True)
    turns: int = setting(5, "how many", Range(1))


@dataclass(frozen=True)
class Car(Part):
    """A part with a setting of each kind."""

    speed: float = setting(1.0, "differs", per_run=True)
    drag: float = setting(0.0, "where zero is other arithmetic", per_run=lambda v: v > 0)
    wheels: int = setting(4, "the same for all")
    limit: float | None = setting(None, "differs, or is not there", per_run=True)
    spring: Spring = setting(Coil(), "a part")
    spare: Spring | None = setting(None, "a part, or none")
    all_springs: list[Spring] = setting([], "parts")
    gears: list[int] = setting([1, 2], "the same for all", Each(Range(1)))


@pytest.mark.parametrize(
    ("within", "good", "bad", "words"),
    [
        (Range(1), [1, 7.5], [0, 0.99, -3], "1 or more"),
        (Range(0, above=True), [1e-9, 3], [0, -1], "above 0"),
        (Range(0, 1), [0, 0.5, 1], [-0.1, 1.1], "0 to 1"),
        (Range(0, 1, below=True), [0, 0.99], [1, -0.1], "0 or more, below 1"),
        (Range(0, 1, above=True, below=True), [0.5], [0, 1], "above 0, below 1"),
        (Range(high=3), [-9, 3], [3.1], "3 or less"),
        (Range(high=3, below=True), [2.9], [3], "below 3"),
        (Each(Range(1)), [[], [1, 2]], [[0], [1, 0]], "each 1 or more"),
        (NotEmpty(), ["a", True, None], ["", " \t"], "that is not empty"),
    ],
)
def test_allowed_values_are_checked_and_printed(within: Any, good: Any, bad: Any, words: str) -> None:
    assert all(value in within for value in good)
    assert not any(value in within for value in bad)
    assert str(within) == words


def test_words_follow_the_member_of_a_type_that_they_are_about() -> None:
    @dataclass(frozen=True)
    class Own:
        resume: bool | str = setting(False, "a choice or a name", NotEmpty())
        points: int | Literal["auto"] | None = setting("auto", "a number, a word or nothing", Range(1))

    own: Any = Own
    assert allowed(own, "resume") == "true or false or text that is not empty"
    assert allowed(own, "points") == "an integer 1 or more or auto or null"


def test_the_name_of_a_part_is_no_setting() -> None:
    assert [f.name for f in settings_of(Coil)] == ["stiffness", "turns"]
    assert Coil().name == "coil"
    assert Coil(name="soft").name == "soft"
    assert RandomPerturbation().name == "perturb"


def test_lists_are_each_part_s_own() -> None:
    Car().gears.append(9)
    assert Car().gears == [1, 2]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"turns": 0}, "coil.turns=0: expected an integer 1 or more"),
        ({"turns": 1.5}, "coil.turns=1.5: expected an integer 1 or more"),
        ({"turns": None}, "coil.turns=null: expected an integer 1 or more"),
        ({"turns": True}, "coil.turns=true: expected an integer 1 or more"),
        ({"stiffness": float("nan")}, "coil.stiffness=nan: expected a number 0 or more"),
        ({"name": "soft", "stiffness": -1}, "soft.stiffness=-1: expected a number 0 or more"),
    ],
)
def test_a_bad_setting_is_refused_wherever_a_part_is_made(values: Any, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Coil(**values)
    assert str(caught.value) == line


def test_errors_name_settings_by_their_place() -> None:
    coil = {"_target_": f"{__name__}.Coil"}
    with pytest.raises(ConfigError, match=r"^car\.spring\.turns=0: expected an integer 1 or more$"):
        build(Car, {"spring": coil | {"turns": 0}}, "car.")
    with pytest.raises(
        ConfigError, match=r"^all_springs\[1\]\.lenght=2: unknown; expected one of stiffness, turns$"
    ):
        build(Car, {"all_springs": [coil, coil | {"lenght": 2}]})
    with pytest.raises(ConfigError, match=r"^all_springs=3: expected a list$"):
        build(Car, {"all_springs": 3})
    with pytest.raises(ConfigError, match=r"^gears=\[1, 0\]: expected a list of integers, each 1 or more$"):
        build(Car, {"gears": [1, 0]})
    with pytest.raises(ConfigError, match=r"^car=3: expected settings$"):
        build(Car, 3, "car.")


def test_a_name_gives_the_option_of_the_conf_file() -> None:
    assert load_part("optimizer", "sgd", Method) == SGD()
    assert load_part("optimizer", "perturb", Method) == RandomPerturbation()
    assert load_part("architecture.output", "softmax", Activation) == Softmax()


def test_settings_beside_a_name_change_the_option() -> None:
    made = load_part("optimizer", {"name": "sgd", "momentum": 0.9}, Method)
    assert made == SGD(momentum=0.9)
    wide: Any = load_part("architecture", {"name": "wide", "init_scale": 1}, MLP)
    assert (wide.name, wide.hidden, wide.init_scale) == ("wide", [64], 1.0)


def test_a_target_needs_no_conf_file() -> None:
    made = load_part("optimizer", {"_target_": "nnexp.optim.SGD", "learning_rate": 2}, Method)
    assert made == SGD(2.0)
    named = load_part("optimizer", {"_target_": "nnexp.optim.SGD", "name": "mine"}, Method)
    assert named == SGD(name="mine")
    assert load_part("optimizer", named, Method) is named


def test_a_part_in_a_part_is_chosen_like_any_other() -> None:
    for schedule in ("constant", {"name": "constant"}, {"_target_": "nnexp.optim.schedules.Constant"}):
        assert load_part("optimizer", {"name": "sgd", "schedule": schedule}, Method) == SGD()
    made: Any = load_part("optimizer", {"name": "sgd", "schedule": {"name": "constant", "warmup": 3}}, Method)
    assert made.schedule == Constant(warmup=3)
    with pytest.raises(ConfigError, match=r"^optimizer\.schedule\.warmup=-1: expected an integer 0 or more$"):
        load_part("optimizer", {"name": "sgd", "schedule": {"name": "constant", "warmup": -1}}, Method)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ("sgdd", r"optimizer=sgdd: expected one of .*perturb, random.*; did you mean sgd\?"),
        ({"name": "zzzzz"}, r"optimizer=zzzzz: expected one of [\w, ]+"),
        (3, "optimizer=3: expected the name of an option, or its settings"),
        (None, "optimizer=null: expected the name of an option, or its settings"),
        ({"momentum": 0.9}, r"optimizer\.name=null: expected the name of an option"),
        ({"name": "sgd", "momentun": 0.9}, r"optimizer\.momentun=0.9: unknown; expected one of .*momentum.*"),
        (
            {"_target_": "SGD"},
            r"optimizer\._target_=SGD: expected a class's full name, such as nnexp\.optim\.SGD",
        ),
        ({"_target_": 3}, r"optimizer\._target_=3: expected a class's full name, such as nnexp\.optim\.SGD"),
        (
            {"_target_": "nowhere.to.be.Found"},
            r"optimizer\._target_=nowhere\.to\.be\.Found: module nowhere\.to\.be cannot be imported "
            r"\(ModuleNotFoundError: No module named 'nowhere'\)",
        ),
        (
            {"_target_": "nnexp.optim.SDG"},
            r"optimizer\._target_=nnexp\.optim\.SDG: module nnexp\.optim has no SDG",
        ),
        (
            {"_target_": "pathlib.Path"},
            r"optimizer\._target_=pathlib\.Path: expected a dataclass that inherits from Method",
        ),
        (
            {"_target_": "nnexp.training.prepare"},
            r"optimizer\._target_=nnexp\.training\.prepare: expected a dataclass that inherits from Method",
        ),
        (
            {"_target_": "nnexp.network.ReLU"},
            r"optimizer\._target_=nnexp\.network\.ReLU: expected a class that inherits from Method",
        ),
    ],
)
def test_what_is_no_part_is_refused_in_one_line(values: Any, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_part("optimizer", values, Method)
    assert "\n" not in str(caught.value)
    assert re.fullmatch(line, str(caught.value)), str(caught.value)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module outside nnexp with a method; importing it leaves a trace."""
    source = (
        "from dataclasses import dataclass\n"
        "from pathlib import Path\n"
        "from nnexp.optim import SGD\n"
        "Path(__file__).with_suffix('.imported').touch()\n"
        "@dataclass(frozen=True)\n"
        "class Slow(SGD):\n"
        '    "SGD by another name."\n'
    )
    (tmp_path / "outside_lab.py").write_text(source, encoding="utf-8")
    (tmp_path / "broken_lab.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "outside_lab"
    sys.modules.pop("outside_lab", None)


def test_modules_outside_are_imported_only_where_they_may_be(outside: str, tmp_path: Path) -> None:
    values = {"_target_": f"{outside}.Slow", "learning_rate": 0.5}
    words = (
        rf"^optimizer\._target_={outside}\.Slow: module {outside} is not part of nnexp and is not imported"
    )
    for modules in ((), ["other_lab"]):
        with pytest.raises(ConfigError, match=words):
            load_part("optimizer", values, Method, modules)
    assert not (tmp_path / "outside_lab.imported").exists()
    made: Any = load_part("optimizer", values, Method, [outside])
    assert (made.name, made.learning_rate) == ("slow", 0.5)
    assert load_part("optimizer", values, Method) == made
    assert plain(made)["_target_"] == f"{outside}.Slow"
    assert load_part("optimizer", "sgd", Method, ()) == SGD()


def test_modules_that_may_not_be_imported_may_not_be_in_a_part_s_part_either(outside: str) -> None:
    values = {"name": "sgd", "schedule": {"_target_": f"{outside}.Slow"}}
    with pytest.raises(
        ConfigError, match=r"^optimizer\.schedule\._target_=.*: module .* is not part of nnexp"
    ):
        load_part("optimizer", values, Method, ())
    with pytest.raises(
        ConfigError,
        match=r"^optimizer\.schedule\._target_=.*: expected a class that inherits from Schedule",
    ):
        load_part("optimizer", values, Method)


def test_a_module_that_breaks_is_named_with_its_error(outside: str) -> None:
    words = (
        r"^optimizer\._target_=broken_lab\.X: .* cannot be imported \(ZeroDivisionError: division by zero\)"
    )
    with pytest.raises(ConfigError, match=words):
        load_part("optimizer", {"_target_": "broken_lab.X"}, Method)


CARS = [
    Car(),
    Car(speed=3.0, wheels=3, limit=7.0, spring=Coil(2.0, 9, name="soft"), spare=Coil(), name="racer"),
    Car(all_springs=[Coil(1.0), Coil(2.0)], gears=[]),
]


@pytest.mark.parametrize("car", CARS)
def test_plain_values_and_parts_are_the_same_thing(car: Car) -> None:
    values = plain(car)
    assert values["_target_"] == f"{__name__}.Car"
    assert load_part("car", values, Car) == car
    del values["_target_"]
    assert build(Car, values) == car


def test_plain_values_are_yaml_s() -> None:
    import yaml

    values = plain(Config())
    assert yaml.safe_load(yaml.safe_dump(values)) == values


def test_a_stack_has_arrays_where_runs_may_differ_and_nowhere_else() -> None:
    cars = [Car(speed=n, drag=n / 10, limit=10.0 - n, spring=Coil(stiffness=n)) for n in (1.0, 2.0, 3.0)]
    together: Any = stack(cars)
    np.testing.assert_array_equal(together.speed, [1, 2, 3])
    np.testing.assert_array_equal(together.drag, [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(together.limit, [9, 8, 7])
    np.testing.assert_array_equal(together.spring.stiffness, [1, 2, 3])
    assert (together.wheels, together.gears, together.spring.turns, together.spare) == (4, [1, 2], 5, None)
    part: Any = take(together, np.array([0, 2]))
    np.testing.assert_array_equal(part.speed, [1, 3])
    np.testing.assert_array_equal(part.limit, [9, 7])
    np.testing.assert_array_equal(part.spring.stiffness, [1, 3])
    assert part.wheels == 4


def test_parts_in_a_list_are_stacked_each_with_its_like() -> None:
    cars = [Car(all_springs=[Coil(1.0), Coil(2.0, 7)]), Car(all_springs=[Coil(3.0), Coil(4.0, 7)])]
    assert group_key(cars[0]) == group_key(cars[1]) != group_key(Car(all_springs=[Coil(1.0), Coil(2.0)]))
    together: Any = stack(cars)
    first, second = together.all_springs
    np.testing.assert_array_equal(first.stiffness, [1, 3])
    np.testing.assert_array_equal(second.stiffness, [2, 4])
    assert second.turns == 7
    alone, _ = take(together, np.array([1])).all_springs
    np.testing.assert_array_equal(alone.stiffness, [3])


def test_what_is_null_for_all_runs_stays_null() -> None:
    together: Any = stack([Car(), Car()])
    assert together.limit is None
    part: Any = take(together, np.array([1]))
    assert part.limit is None


def test_a_key_holds_what_runs_must_share() -> None:
    base = group_key(Car())
    for same in (Car(speed=9.0), Car(spring=Coil(stiffness=3.0)), Car(name="other"), Car(gears=[1, 2])):
        assert group_key(same) == base
    assert group_key(Car(drag=0.1)) == group_key(Car(drag=0.2))
    assert group_key(Car(limit=1.0)) == group_key(Car(limit=2.0))
    others = [
        Car(drag=0.1),
        Car(wheels=3),
        Car(limit=1.0),
        Car(spring=Coil(turns=6)),
        Car(spare=Coil()),
        Car(all_springs=[Coil()]),
        Car(gears=[1]),
        Coil(),
    ]
    keys = {base, *map(group_key, others)}
    assert len(keys) == len(others) + 1
    assert group_key(RandomSearch()) != group_key(RandomPerturbation(block=256))


def test_the_kinds_of_a_config_are_those_of_all_parts_in_it() -> None:
    assert kinds_of(CARS[1]) == {Car, Coil}
    assert kinds_of(CARS[2]) == {Car, Coil}
    found = kinds_of(Config())
    assert {MLP, ReLU, Softmax, SGD, Constant} <= found
    assert Config not in found


def test_a_part_may_not_bear_the_name_of_another_option() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^optimizer\.name=perturb: this is the name of .*; expected another name for nnexp",
    ):
        load_part("optimizer", {"_target_": "nnexp.optim.SGD", "name": "perturb"}, Method)
    assert load_part("optimizer", {"_target_": "nnexp.optim.SGD", "name": "my_sgd"}, Method).name == "my_sgd"
    assert (
        load_part("architecture", {"_target_": "nnexp.network.MLP", "name": "wide"}, Architecture).name
        == "wide"
    )
