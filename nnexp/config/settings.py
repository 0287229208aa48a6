"""Settings and parts: dataclass fields with a description and the values they take.

A **part** is anything that a conf file chooses: a method, an activation, a loss, a dataset. It is a frozen dataclass
that inherits from its family; its fields are its settings. Checking, help, grouping and records follow from the fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import (
    Any,
    ClassVar,
    Literal,
    Self,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

from nnexp.config.error import ConfigError
from nnexp.config.modules import import_target, target_of
from nnexp.config.places import has_option, option_values
from nnexp.config.ranges import Each, NotEmpty, Range, Values
from nnexp.config.typed import LARGEST, lacks_brackets, members, typed

__all__ = [
    "ConfigError",
    "Each",
    "NotEmpty",
    "Part",
    "Range",
    "Values",
    "allowed",
    "build",
    "group_key",
    "hints",
    "import_part",
    "kinds_of",
    "load_part",
    "part_hint",
    "plain",
    "setting",
    "settings_of",
    "shown",
    "stack",
    "take",
]

P = TypeVar("P", bound="Part")

LONGEST = 200
"""Largest number of characters of a value in an error or in help."""


PerRun = bool | Callable[[Any], Hashable]


def setting(default: Any, about: str, within: Values | None = None, *, per_run: PerRun = False) -> Any:
    """A setting: its default, what it is about, and which values it takes beyond its type.

    Args:
        within: the allowed values; None for all of the field's type. Null is checked by the type alone.
        per_run: whether runs that are trained together may differ in it. False: the value is in the group's key.
        True: a group has an array ``(R,)`` of it. A function: an array too, and ``function(value)`` is in the
        key, as ``lambda momentum: momentum > 0`` where zero means other arithmetic.
    """
    metadata = {"about": about, "within": within, "per_run": per_run}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Part:
    """What a conf file chooses; a family is a class that inherits from it, a part one that inherits from a family.

    Attributes:
        name: of the conf file's option, else the class's own.
        group: of the family: the folder of its conf files.
        option: the class's own name, where that is not its Python name in lower case with underscores.
        in_defaults: of the family: whether conf files choose its options in their defaults list, so that the command
            line takes ``optimizer/schedule=cosine``; else a setting has the option's name.
    """

    name: str = field(default="", kw_only=True)
    group: ClassVar[str] = ""
    option: ClassVar[str] = ""
    in_defaults: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check all settings.

        Raises:
            ConfigError: a value that is not allowed.
        """
        if not self.name:
            object.__setattr__(self, "name", self.option or snake_case(type(self).__name__))
        for f in settings_of(type(self)):
            value = getattr(self, f.name)
            # Of a group's part these are arrays, which come from checked values.
            if not (f.metadata.get("per_run") and isinstance(value, np.ndarray)):
                kind: Any = type(self)
                checked = _value(value, hints(kind)[f.name], f, f"{self.name}.{f.name}", None)
                object.__setattr__(self, f.name, checked)

    @classmethod
    def from_settings(cls, **values: Any) -> Self:
        """An instance from plain values, such as those of a conf file."""
        instance: Self = build(cls, values)
        return instance


def snake_case(name: str) -> str:
    """A class's name as an option's name.

    >>> snake_case("RandomSearch"), snake_case("SGD"), snake_case("OpenAIES")
    ('random_search', 'sgd', 'open_aies')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@cache
def hints(kind: type) -> dict[str, Any]:
    """Types of a dataclass's settings."""
    return get_type_hints(kind)


def settings_of(kind: type) -> list[Field[Any]]:
    """The fields that are settings: all but a part's name."""
    return [f for f in fields(kind) if not (f.name == "name" and issubclass(kind, Part))]


def part_hint(hint: Any) -> type[Part] | None:
    """The family that a setting's type names, None where it names none."""
    for member in members(hint):
        if isinstance(member, type) and issubclass(member, Part):
            return member
    return None


def load_part(setting_name: str, values: Any, family: type[P], modules: Sequence[str] | None = None) -> P:
    """The part that plain ``values`` describe.

    Values are a name of an option (``adam``); settings with a ``name``, which then gives what is left out; or settings
    with a ``_target_``, the class's full name, in this package or another.

    Args:
        setting_name: where the part is chosen, for errors.
        family: what it must be.
        modules: top-level modules outside nnexp that may be imported; None for any.

    Raises:
        ConfigError: no such option, a class that cannot be imported or is no part of the family, or a bad setting.
    """
    if isinstance(values, family):
        return values
    if isinstance(values, str):
        values = {"name": values}
    if not isinstance(values, Mapping):
        raise ConfigError(f"{setting_name}={shown(values)}: expected the name of an option, or its settings")
    values = dict(values)
    if "_target_" not in values:
        name = values.get("name")
        if not isinstance(name, str):
            raise ConfigError(f"{setting_name}.name={shown(name)}: expected the name of an option")
        values = option_values(groups_of(family), name, setting_name) | values
    target = values.pop("_target_")
    kind = import_part(f"{setting_name}._target_={shown(target)}", target, family, modules)
    _check_name(setting_name, values.get("name"), target, kind)
    part: P = build(kind, values, f"{setting_name}.", modules)
    return part


def _check_name(setting_name: str, name: Any, target: str, kind: type[Part]) -> None:
    """Refuse the name of another class's option: the run would be recorded under the wrong name."""
    if not isinstance(name, str) or not has_option(kind.group, name):
        return
    other = option_values(kind.group, name, setting_name).get("_target_", target)
    if other != target and import_target(f"{setting_name}.name={name}", other) is not kind:
        raise ConfigError(
            f"{setting_name}.name={name}: this is the name of {other}; expected another name for {target}"
        )


def import_part(
    described: str, target: Any, family: type[P], modules: Sequence[str] | None = None
) -> type[P]:
    """The class of a part, by its full name.

    Args:
        described: the setting with its value, for errors.

    Raises:
        ConfigError: it cannot be imported, or is no part of the family.
    """
    kind = import_target(described, target, modules)
    if not (isinstance(kind, type) and issubclass(kind, Part) and is_dataclass(kind)):
        raise ConfigError(f"{described}: expected a dataclass that inherits from {family.__name__}")
    if not issubclass(kind, family):
        raise ConfigError(f"{described}: expected a class that inherits from {family.__name__}")
    return kind


def groups_of(family: type[Part]) -> list[str]:
    """The groups that hold a family's options: its own, and those of families that inherit from it."""
    return list(dict.fromkeys([family.group, *(kind.group for kind in family.__subclasses__())]))


def build(kind: type, values: Any, prefix: str = "", modules: Sequence[str] | None = None) -> Any:
    """An instance of the dataclass ``kind`` from plain ``values``; settings left out keep their defaults.

    Args:
        prefix: of the settings' names in errors, with its dot.
        modules: as for :func:`load_part`.

    Raises:
        ConfigError: an unknown setting, a wrong type, or a value that is not allowed.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')}={shown(values)}: expected settings")
    known = {f.name: f for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            names = ", ".join(f.name for f in settings_of(kind))
            raise ConfigError(f"{prefix}{key}={shown(value)}: unknown; expected one of {names or 'none'}")
    checked = {
        key: _value(values[key], hints(kind)[key], f, f"{prefix}{key}", modules)
        for key, f in known.items()
        if key in values
    }
    return kind(**checked)


def plain(value: Any) -> Any:
    """A part or a dataclass of settings as plain values, which :func:`build` and :func:`load_part` read."""
    if is_dataclass(value) and not isinstance(value, type):
        target = {"_target_": target_of(type(value))} if isinstance(value, Part) else {}
        return target | {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def kinds_of(value: Any) -> set[type]:
    """The classes of all parts in a part or a dataclass of settings, its own among them."""
    if isinstance(value, list | tuple):
        return set().union(*map(kinds_of, value))
    if not is_dataclass(value) or isinstance(value, type):
        return set()
    itself = {type(value)} if isinstance(value, Part) else set()
    return itself.union(*(kinds_of(getattr(value, f.name)) for f in fields(value)))


def stack(parts: Sequence[P]) -> P:
    """One part for R runs: its per-run settings as arrays ``(R,)``; all others are equal, see :func:`group_key`."""
    first = parts[0]
    arrays: dict[str, Any] = {}
    for f in settings_of(type(first)):
        values = [getattr(part, f.name) for part in parts]
        if isinstance(values[0], Part):
            arrays[f.name] = stack(values)
        elif _parts_in(values[0]):
            arrays[f.name] = [stack(alike) for alike in zip(*values, strict=True)]
        elif f.metadata.get("per_run") and None not in values:
            arrays[f.name] = np.array(values)
    return replace(first, **arrays)


def take(part: P, runs: Any) -> P:
    """The part of some of the runs of a :func:`stack`; of one run, given by its number, the part as it was before."""
    chosen: dict[str, Any] = {}
    for f in settings_of(type(part)):
        value = getattr(part, f.name)
        if isinstance(value, Part):
            chosen[f.name] = take(value, runs)
        elif _parts_in(value):
            chosen[f.name] = [take(item, runs) for item in value]
        elif f.metadata.get("per_run") and isinstance(value, np.ndarray):
            of_these = value[runs]
            chosen[f.name] = of_these if isinstance(of_these, np.ndarray) else of_these.item()
    return replace(part, **chosen)


def _parts_in(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, Part) for item in value)


def group_key(value: Any) -> Hashable:
    """What parts must have in common to be trained together: class, and every setting that is not per run."""
    if isinstance(value, Part):
        key: list[Any] = [type(value)]
        for f in settings_of(type(value)):
            its_value, per_run = getattr(value, f.name), f.metadata.get("per_run", False)
            if callable(per_run):
                key.append(per_run(its_value))
            elif isinstance(its_value, Part) or not per_run:
                key.append(group_key(its_value))
            else:
                # A setting that is null for some runs has no array.
                key.append(its_value is None)
        return tuple(key)
    if isinstance(value, list | tuple):
        return tuple(group_key(item) for item in value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def allowed(kind: type, name: str) -> str:
    """What a setting of a dataclass may be, in words."""
    return _expected(hints(kind)[name], next(f for f in fields(kind) if f.name == name))


def shown(value: Any) -> str:
    """A value as the command line writes it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Part):
        return value.name
    text = f"[{', '.join(map(shown, value))}]" if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _value(value: Any, hint: Any, f: Field[Any], name: str, modules: Sequence[str] | None) -> Any:
    if isinstance(hint, type) and is_dataclass(hint) and not issubclass(hint, Part):
        return value if isinstance(value, hint) else build(hint, value, f"{name}.", modules)
    family = part_hint(hint)
    if family is not None:
        return (
            None if value is None and type(None) in members(hint) else load_part(name, value, family, modules)
        )
    if get_origin(hint) is list and (family := part_hint(get_args(hint)[0])) is not None:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{name}={shown(value)}: expected a list")
        return [load_part(f"{name}[{at}]", item, family, modules) for at, item in enumerate(value)]
    within = f.metadata.get("within")
    converted = typed(value, hint)
    if converted is MISSING or (within is not None and converted is not None and converted not in within):
        example = f", such as [{shown(value)}]" if lacks_brackets(value, hint) else ""
        if within is None and type(value) in (int, float) and str in members(hint):
            example = f"; write a name of digits in quotes, such as '{name}=\"{value}\"'"
        raise ConfigError(f"{name}={shown(value)}: expected {_expected(hint, f)}{example}")
    if type(converted) is int and abs(converted) > LARGEST:
        raise ConfigError(f"{name}={shown(value)}: expected an integer of at most {LARGEST}")
    return converted


def _expected(hint: Any, f: Field[Any]) -> str:
    several = get_origin(hint) is list
    family = part_hint(get_args(hint)[0] if several else hint)
    if family is not None:
        which = "options of " if several else "an option of "
        return which + " or ".join(groups_of(family))
    kinds = members(hint)
    words = [_words(member) for member in kinds]
    within = f.metadata.get("within")
    if within is not None:
        at = next((at for at, member in enumerate(kinds) if member is not bool), 0)
        words[at] += f" {within}"
    return " or ".join(words)


_WORDS: dict[Any, str] = {
    **{int: "an integer", float: "a number", bool: "true or false", str: "text", dict[str, Any]: "settings"},
    **{list[int]: "a list of integers,", list[str]: "a list of names"},
    list[dict[str, Any]]: "a list of settings",
}


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ("one of " if len(get_args(hint)) > 1 else "") + ", ".join(get_args(hint))
    return _WORDS.get(hint, "a list of numbers" if get_origin(hint) is list else "null")
