"""The options of each config group, by the class of their settings."""

from __future__ import annotations

from dataclasses import is_dataclass

from nnexp.config.modules import import_target
from nnexp.config.places import groups, option_values
from nnexp.config.schema import Config
from nnexp.config.settings import Part, hints, settings_of


def kinds(group: str) -> dict[type, list[str]]:
    """The classes of a group's options, each with the options' names; empty for a group whose options have no class.

    Raises:
        ConfigError: a conf file whose class cannot be imported.
    """
    hint = hints(Config).get(group)
    if isinstance(hint, type) and is_dataclass(hint) and not issubclass(hint, Part):
        return {hint: groups().get(group, [])}
    names_by_kind: dict[type, list[str]] = {}
    for name in groups().get(group, []):
        target = option_values(group, name, group).get("_target_")
        if target is not None:
            kind = import_target(f"{group}={name}: _target_={target}", target)
            names_by_kind.setdefault(kind, []).append(name)
    return names_by_kind


def setting_names(kind: type) -> list[str]:
    """The names of a class's settings."""
    return [f.name for f in settings_of(kind)]
