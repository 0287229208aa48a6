"""What makes two runs the same: their config, their data and the code that computes them."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from nnexp.config.modules import outside_files
from nnexp.config.schema import Config, digest
from nnexp.config.settings import kinds_of

CODE = ("calls.py", "config", "data", "losses", "network", "notebook", "optim", "training")
"""The rooms whose code decides a run's numbers."""


def config_hash(config: Config) -> str:
    """Sixteen hexadecimal digits that two runs share if their settings and their data are the same."""
    parts = [digest(config), config.dataset.digest()]
    return hashlib.sha256(" ".join(filter(None, parts)).encode()).hexdigest()[:16]


def code_hash(config: Config) -> str:
    """Sixteen hexadecimal digits of the source that decides a run's numbers, as it was when first asked.

    It is nnexp's own, and that of the run's parts that come from outside.
    """
    return _code_hash(tuple(sorted(kinds_of(config), key=lambda kind: (kind.__module__, kind.__qualname__))))


@cache
def package_hash() -> str:
    """Sixteen hexadecimal digits of nnexp's own source that decides a run's numbers."""
    package = Path(__file__).resolve().parents[1]
    # nnfs draws the points of generated datasets.
    total = hashlib.sha256(metadata.version("nnfs").encode())
    for name in CODE:
        place = package / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(f"{file.relative_to(package)}\0".encode())
            total.update(file.read_bytes())
    return total.hexdigest()[:16]


@cache
def _code_hash(kinds: tuple[type, ...]) -> str:
    outside = outside_files(kinds)
    if not outside:
        return package_hash()
    total = hashlib.sha256(package_hash().encode())
    for place, file in outside.items():
        total.update(f"{place}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]
