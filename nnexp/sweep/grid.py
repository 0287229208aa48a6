"""Grids: which jobs a sweep has, from blocks of axes in conf files and the command line's own axes.

A block says axes that belong together, as the command line would, so what only one method has is said with it::

    grid:
      - optimizer: random,perturb
        optimizer.scale: 0.02,0.05
      - optimizer: sgd
        optimizer.learning_rate: tag(log, interval(0.01, 10)) # drawn
        samples: 8 # how many draws
        sample_seed: 0
        zip: # side by side, the first with the first
          architecture.hidden: "[3],[16]"
          budget.iterations: 1000,5000

The jobs of a block are all combinations of its axes, and those of the grid the blocks' jobs one after another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser

from nnexp.config import ConfigError
from nnexp.settings import shown
from nnexp.sweep.axes import Axis, from_setting, parsed

WORDS = ("zip", "samples", "sample_seed")
"""What a block says beside its axes."""


class Expansion(NamedTuple):
    """The overrides of each job, and how many jobs were left out since they repeat another."""

    jobs: list[list[str]]
    repeated: int


def expand(
    arguments: Sequence[str], blocks: Sequence[Mapping[str, Any]] | None, loader: ConfigLoader
) -> Expansion:
    """The jobs of a sweep, those that repeat another left out.

    The command line's axes multiply with the grid's. Where both have an axis, the command line chooses from the
    grid: only those of its jobs stay that have one of the given values.

    Args:
        arguments: the command line's overrides of the task.
        blocks: ``sweep.grid``.

    Raises:
        HydraException: an argument that cannot be read.
        ConfigError: a block that cannot be, or an axis that does not fit the grid.
    """
    parser = OverridesParser.create(config_loader=loader)
    own: dict[str, Axis] = {}
    for argument in arguments:
        axis = parsed(parser, argument)
        if axis.interval is not None:
            raise ConfigError(
                f"{argument}: expected values; intervals are drawn from in a block of sweep.grid"
            )
        if (axis.key == "sweep" or axis.key.startswith("sweep.")) and len(axis.values) != 1:
            raise ConfigError(f"{argument}: expected one value for the whole sweep")
        own[axis.key] = axis
    of_grid = [()] if blocks is None else _jobs(blocks, parser)
    chosen = _chosen(of_grid, own)
    named = {key for job in of_grid for key, _ in job}
    rest = [axis.overrides() for key, axis in own.items() if key not in named]
    jobs = [[*(f"{key}={value}" for key, value in job), *more] for job in chosen for more in product(*rest)]
    unique: dict[frozenset[str], list[str]] = {}
    for overrides in jobs:
        unique.setdefault(frozenset(overrides), overrides)
    return Expansion(list(unique.values()), len(jobs) - len(unique))


def _chosen(jobs: Sequence[tuple[tuple[str, str], ...]], own: Mapping[str, Axis]) -> list[Any]:
    """The grid's jobs that have the command line's values for the axes that both have."""
    found: list[Any] = list(jobs)
    for key, axis in own.items():
        there = {value for job in jobs for name, value in job if name == key}
        if not there:
            continue
        for value in axis.values:
            if value not in there:
                raise ConfigError(
                    f"{key}={value}: the sweep's grid has {', '.join(sorted(there))}; expected one of these"
                )
        found = [job for job in found if dict(job).get(key) in axis.values]
    if not found:
        raise ConfigError(f"{' '.join(own)}: the sweep's grid has no job with these values together")
    return found


def _jobs(blocks: Sequence[Mapping[str, Any]], parser: OverridesParser) -> list[tuple[tuple[str, str], ...]]:
    if not blocks:
        raise ConfigError("sweep.grid=[]: expected one block of axes or more, or null")
    return [job for at, block in enumerate(blocks) for job in _block(block, f"sweep.grid[{at}]", parser)]


def _block(block: Mapping[str, Any], name: str, parser: OverridesParser) -> list[tuple[tuple[str, str], ...]]:
    axes = {
        key: from_setting(parser, f"{name}.{key}", key, value)
        for key, value in block.items()
        if key not in WORDS
    }
    beside = _zipped(block.get("zip"), f"{name}.zip", parser)
    if not axes and not beside:
        raise ConfigError(f"{name}: expected one axis or more, such as seed: range(0,3)")
    for axis in beside:
        if axis.key in axes:
            raise ConfigError(f"{name}.zip.{axis.key}: expected once; the block has this axis beside zip too")
    drawn = [axis for axis in axes.values() if axis.interval is not None]
    together = [_values(axis) for axis in axes.values() if axis.interval is None]
    if beside:
        together.append(list(zip(*(_values(axis) for axis in beside), strict=True)))
    if drawn:
        count = _number(block, "samples", 1, None, name)
        seed = _number(block, "sample_seed", 0, 0, name)
        together.append(list(zip(*(_values(axis.drawn(count, seed)) for axis in drawn), strict=True)))
    elif unused := [word for word in ("samples", "sample_seed") if word in block]:
        raise ConfigError(
            f"{name}.{unused[0]}={shown(block[unused[0]])}: expected with an interval(low, high) to draw from"
        )
    return [tuple(_flat(parts)) for parts in product(*together)]


def _values(axis: Axis) -> list[Any]:
    return [(axis.key, value) for value in axis.values]


def _flat(parts: Sequence[Any]) -> list[tuple[str, str]]:
    """Pairs of setting and value, out of tuples of them where several axes go together."""
    return [pair for part in parts for pair in (part if isinstance(part[0], tuple) else (part,))]


def _zipped(values: Any, name: str, parser: OverridesParser) -> list[Axis]:
    if values is None:
        return []
    if not isinstance(values, Mapping) or len(values) < 2:
        raise ConfigError(f"{name}={shown(values)}: expected two axes or more")
    axes = [from_setting(parser, f"{name}.{key}", key, value) for key, value in values.items()]
    for axis in axes:
        if axis.interval is not None:
            raise ConfigError(f"{name}.{axis.key}: expected values; intervals are drawn together beside zip")
    if len({len(axis.values) for axis in axes}) > 1:
        lengths = ", ".join(f"{axis.key} has {len(axis.values)}" for axis in axes)
        raise ConfigError(f"{name}: expected axes with as many values as one another; {lengths}")
    return axes


def _number(block: Mapping[str, Any], word: str, least: int, default: int | None, name: str) -> int:
    value = block.get(word, default)
    if type(value) is not int or value < least:
        raise ConfigError(f"{name}.{word}={shown(value)}: expected an integer {least} or more")
    return value
