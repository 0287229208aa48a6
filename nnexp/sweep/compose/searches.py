"""The settings' own search intervals: ``optimizer.learning_rate: search`` in a grid's block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nnexp.config.places import option_values
from nnexp.config.settings import ConfigError, Part, Range, import_part

SEARCH = "search"


def with_intervals(block: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A grid's block with each ``search`` replaced by the interval of its setting.

    Args:
        name: of the block, for errors.

    Raises:
        ConfigError: a setting without a search space, or of an option that the block does not choose.
    """
    return {
        key: _interval(block, f"{name}.{key}", key) if value == SEARCH else value
        for key, value in block.items()
    }


def _interval(block: Mapping[str, Any], name: str, key: str) -> str:
    group, _, setting = str(key).rpartition(".")
    option = block.get(group)
    if not isinstance(option, str) or "," in option:
        raise ConfigError(
            f"{name}={SEARCH}: expected one option in the same block, such as {group or key}: sgd"
        )
    target = option_values([group], option, f"{name.rpartition('.')[0]}.{group}").get("_target_")
    kind = import_part(f"{group}={option}", target, Part)
    within = next((f.metadata.get("within") for f in fields(kind) if f.name == setting), None)
    space = within.space if isinstance(within, Range) else None
    if not isinstance(within, Range) or space is None:
        raise ConfigError(
            f"{name}={SEARCH}: {option}'s {setting or key} has no search space; expected values"
        )
    interval = f"interval({space[0]}, {space[1]})"
    return f"tag(log, {interval})" if within.log else interval
