"""A setting: a dataclass field that knows what it is about and which values it takes."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


class ConfigError(ValueError):
    """A setting that cannot be: one line with the setting, its value and what is allowed."""


def setting(default: Any, about: str, allowed: str = "", ok: Callable[[Any], bool] | None = None) -> Any:
    """A setting: its default, what it is about, and what is ``allowed`` beyond its type, tested by ``ok``."""
    metadata = {"about": about, "allowed": allowed, "ok": ok}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def positive(default: Any, about: str) -> Any:
    """A number above 0."""
    return setting(default, about, "above 0", lambda v: v > 0)


def least(low: int, default: Any, about: str) -> Any:
    """A number that is ``low`` or more."""
    return setting(default, about, f"{low} or more", lambda v: v >= low)


@cache
def hints(kind: type) -> dict[str, Any]:
    """Types of a dataclass's settings."""
    return get_type_hints(kind)


def options(hint: Any) -> dict[str, type]:
    """The dataclasses that a group's type names, by the names of the group's options.

    A group without a choice has one dataclass without ``name``, found under the empty name.
    """
    found: dict[str, type] = {}
    for kind in _members(hint):
        if isinstance(kind, type) and is_dataclass(kind):
            names = get_args(hints(kind).get("name")) or ("",)
            found |= dict.fromkeys(names, kind)
    return found


def build(kind: type, values: Any, prefix: str = "") -> Any:
    """An instance of the dataclass ``kind`` from plain ``values``; settings left out keep their defaults.

    Args:
        prefix: of the settings' names in errors, with its dot.

    Raises:
        ConfigError: an unknown setting, a wrong type, or a value that is not allowed.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')}={shown(values)}: expected settings")
    known = {f.name: f for f in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{prefix}{key}={shown(value)}: unknown; expected one of {', '.join(known)}")
    made = {}
    for key, f in known.items():
        name, hint = f"{prefix}{key}", hints(kind)[key]
        if choices := options(hint):
            if key not in values:
                raise ConfigError(
                    f"{name}: missing; expected {' or '.join(filter(None, choices)) or 'settings'}"
                )
            made[key] = build(_choice(name, choices, values[key]), values[key], f"{name}.")
        elif key in values:
            made[key] = _value(values[key], hint, f, name)
    return kind(**made)


def allowed(kind: type, name: str) -> str:
    """What a setting of a dataclass may be, in words."""
    return _expected(hints(kind)[name], next(f for f in fields(kind) if f.name == name))


def shown(value: Any) -> str:
    """A value as the command line writes it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _choice(group: str, choices: dict[str, type], values: Any) -> type:
    if list(choices) == [""]:
        return choices[""]
    name = values.get("name") if isinstance(values, Mapping) else values
    if not isinstance(name, str) or name not in choices:
        raise ConfigError(f"{group}.name={shown(name)}: expected one of {', '.join(choices)}")
    return choices[name]


def _value(value: Any, hint: Any, f: Field[Any], name: str) -> Any:
    ok = f.metadata.get("ok")
    made = _typed(value, hint)
    if made is MISSING or (ok is not None and made is not None and not ok(made)):
        raise ConfigError(f"{name}={shown(value)}: expected {_expected(hint, f)}")
    return made


def _typed(value: Any, hint: Any) -> Any:
    """The value as its type asks, MISSING where it is not of that type."""
    members = _members(hint)
    if len(members) > 1:
        found = (_typed(value, member) for member in members)
        return next((made for made in found if made is not MISSING), MISSING)
    if get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in get_args(hint) else MISSING
    if get_origin(hint) is list:
        inner = get_args(hint)[0]
        if not isinstance(value, list | tuple):
            return MISSING
        made = [_numbers(item) if inner is Any else _typed(item, inner) for item in value]
        return MISSING if any(item is MISSING for item in made) else made
    if get_origin(hint) is dict:
        return (
            dict(value) if isinstance(value, Mapping) and all(type(key) is str for key in value) else MISSING
        )
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if number and math.isfinite(value) else MISSING
    return value if type(value) is hint else MISSING


def _numbers(value: Any) -> Any:
    """A number, or lists of them to any depth."""
    return _typed(value, list[Any] if isinstance(value, list | tuple) else float)


def _expected(hint: Any, f: Field[Any]) -> str:
    first, *others = (_words(member) for member in _members(hint))
    return " or ".join([" ".join(filter(None, (first, f.metadata.get("allowed")))), *others])


_LISTS: dict[Any, str] = {int: "a list of integers,", dict[str, Any]: "a list of settings"}


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ("one of " if len(get_args(hint)) > 1 else "") + ", ".join(get_args(hint))
    if get_origin(hint) is list:
        return _LISTS.get(get_args(hint)[0], "a list of numbers")
    return {int: "an integer", float: "a number", bool: "true or false", str: "text"}.get(hint, "null")
