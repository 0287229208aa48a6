"""A config as plain text: params for a store, YAML for people."""

from __future__ import annotations

import json
from typing import Any

from nnexp.config.settings import plain
from nnexp.tracking import locations


def flatten(config: Any) -> dict[str, str]:
    """The config as params: dotted names, lists as JSON, None as ``null``, without passwords."""
    flat: dict[str, str] = {}

    def visit(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                visit(f"{prefix}.{key}" if prefix else str(key), inner)
        else:
            flat[prefix] = value if isinstance(value, str) else json.dumps(value)

    visit("", _plain(config))
    return flat


def to_yaml(config: Any) -> str:
    """The whole config as YAML, without passwords."""
    import yaml

    # The C dumper writes the same text in a tenth of the time.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(_plain(config), Dumper=dumper, sort_keys=False, allow_unicode=True))


def _plain(config: Any) -> dict[str, Any]:
    values: dict[str, Any] = plain(config)
    # Settings of resuming do not belong to a run.
    values.pop("sweep", None)
    values.pop("resume", None)
    tracking = values.get("tracking")
    if tracking and tracking.get("uri"):
        tracking["uri"] = locations.public(tracking["uri"])
    return values
