"""The identity of runs: hashes of their config, their data and the code that computes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

from nnexp.config.modules import outside_files
from nnexp.config.schema import Config, Sweep, digest
from nnexp.config.settings import kinds_of
from nnexp.training.checkpoint import Key

CODE = ("calls.py", "config", "data", "losses", "network", "notebook", "optim", "training")
"""The modules whose code determines a run's numbers."""

KEY = "nnexp.sweep_key"
"""The tag of a sweep's parent that holds :func:`sweep_key`."""

NO_JOBS = ("sweep.", "hydra")
"""Prefixes of overrides that do not change the jobs of a sweep; the grid is hashed separately."""


def config_hash(config: Config, data: str | None = None) -> str:
    """A hash of sixteen hexadecimal digits, equal for runs with equal settings and data.

    Args:
        data: the digest of other data, in place of the config's.
    """
    parts = [digest(config), config.dataset.digest() if data is None else data]
    return hashlib.sha256(" ".join(filter(None, parts)).encode()).hexdigest()[:16]


def code_hash(config: Config) -> str:
    """A hash of sixteen hexadecimal digits of the code that determines a run's numbers, computed at the first call.

    The code is nnexp's, and that of the run's parts from outside.
    """
    return _code_hash(tuple(sorted(kinds_of(config), key=lambda kind: (kind.__module__, kind.__qualname__))))


def sweep_key(overrides: Sequence[str], sweep: Sweep) -> str:
    """A hash of sixteen hexadecimal digits, equal for all starts of one sweep.

    It covers the overrides in any order, without those of ``sweep.`` and Hydra's own, the grid, the search, and whether
    the sweep runs until it is decided.

    >>> sweep_key(["seed=0,1", "optimizer=sgd", "sweep.retries=2"], Sweep()) == sweep_key(
    ...     ["optimizer=sgd", "seed=0,1"], Sweep(resume=True)
    ... )
    True
    """
    # If a setting is given twice, the last value counts.
    given = dict(o.partition("=")[::2] for o in overrides if not o.lstrip("+~").startswith(NO_JOBS))
    search = None
    if sweep.trials:
        search = [sweep.trials, sweep.at_once, sweep.prune, sweep.sampler_seed, sweep.measure]
    until = [sweep.until] if sweep.until is not None else []
    text = json.dumps([sorted(given.items()), sweep.grid, search, *until], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def start_key(config: Config, code: str) -> Key:
    """The key of a run's final state, from which a run with a longer budget continues: all but the budget's length."""
    budget = replace(config.budget, iterations=1, evaluations=None)
    return run_key(replace(config, budget=budget), code)


def run_key(config: Config, code: str) -> Key:
    """The key of a run's checkpoint; ``code`` is its :func:`code_hash`."""
    return Key(config_hash(config), code, config.tracking.log_every)


@cache
def package_hash(package: Path | None = None) -> str:
    """A hash (16 hexadecimal digits) of nnexp's code that determines a run's numbers, or of a copy in a folder."""
    package = package or Path(__file__).resolve().parents[1]
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
    return joined_hash(package_hash(), outside_files(kinds))


def joined_hash(package: str, outside: Mapping[str, Path]) -> str:
    """The hash of a run's code: nnexp's hash, combined with files from outside by path, if there are any."""
    if not outside:
        return package
    total = hashlib.sha256(package.encode())
    for place, file in outside.items():
        total.update(f"{place}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()[:16]
