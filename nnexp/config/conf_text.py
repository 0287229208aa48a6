"""The conf file of a part, written from its class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, Field
from typing import Any

from nnexp.config.modules import target_of
from nnexp.config.settings import Part, hints, part_hint, plain, settings_of, snake_case


def conf_text(kind: type[Part], name: str = "", values: dict[str, Any] | None = None) -> str:
    """A conf file with all settings, each with its default and what it is about.

    Args:
        name: the option's name; empty for the class's own.
        values: settings that replace the defaults.
    """
    nested, lines = [], [f"_target_: {target_of(kind)}", f"name: {name or own_name(kind)}"]
    for f in settings_of(kind):
        default = default_of(f)
        value = (values or {}).get(f.name, default)
        hint: Any = kind
        family = part_hint(hints(hint)[f.name])
        if family is not None and family.in_defaults and isinstance(value, Part):
            nested.append(f"  - {f.name}: {value.name}")
        else:
            lines.append(f"{f.name}: {_written(value)} # {f.metadata['about']}")
    head = ["defaults:", *nested, "  - _self_"] if nested else []
    return "\n".join([*head, *lines]) + "\n"


def default_of(f: Field[Any]) -> Any:
    """A setting's default."""
    if f.default is not MISSING:
        return f.default
    return None if f.default_factory is MISSING else f.default_factory()


def own_name(kind: type[Part]) -> str:
    """The option name of a class, where its conf file gives no other."""
    return kind.option or snake_case(kind.__name__)


def _written(value: Any) -> str:
    if isinstance(value, Part):
        return value.name
    if isinstance(value, Sequence) and any(isinstance(item, Part) for item in value):
        return f"[{', '.join(item.name for item in value)}]"
    if isinstance(value, float):
        text = str(value)
        # YAML reads 1e-08 as text.
        return text if "." in text else text.replace("e", ".0e")
    if isinstance(value, str) and value.isidentifier():
        return value
    return "null" if value is None else json.dumps(plain(value))
