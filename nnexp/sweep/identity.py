"""What makes two runs the same: their config, their data and the code that computes them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from nnexp.config.schema import Config, digest

CODE = ("config/settings", "data", "losses", "network", "optim", "training")
"""The rooms whose code decides a run's numbers."""


def config_hash(config: Config) -> str:
    """Sixteen hexadecimal digits that two runs share if their settings and their data are the same.

    Data that are generated follow from the settings and the version of nnfs.
    """
    parts = [digest(config)]
    if config.dataset.name != "points":
        parts.append(_generator())
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


@cache
def _generator() -> str:
    return metadata.version("nnfs")


@cache
def code_hash() -> str:
    """Sixteen hexadecimal digits of the source that decides a run's numbers, as it was when first asked."""
    package = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for name in CODE:
        place = package / name
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            total.update(f"{file.relative_to(package)}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()[:16]
