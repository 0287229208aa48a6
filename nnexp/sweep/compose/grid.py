"""Grids: the jobs of a sweep, from blocks of axes in conf files and axes on the command line.

A block has axes that belong together, in the syntax of the command line, such as settings of one method only::

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

The jobs of a block are all combinations of its axes; the jobs of the grid are those of all blocks in order. An
interval without ``samples`` is searched by Optuna, if ``sweep.trials`` is given. The value ``search`` stands for the
setting's own search interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser

from nnexp.config.schema import ConfigError
from nnexp.config.settings import shown
from nnexp.sweep.compose.axes import Axis, check_count, checked, from_setting, parsed
from nnexp.sweep.compose.searches import with_intervals

WORDS = ("zip", "samples", "sample_seed")
"""Keys of a block other than axes."""


Pairs = tuple[tuple[str, str], ...]
"""Settings with their values."""


class Study(NamedTuple):
    """Settings to search in their intervals, and fixed overrides; each trial has a job for each of ``more``."""

    fixed: list[str]
    axes: tuple[Axis, ...]
    more: list[list[str]]


class Expansion(NamedTuple):
    """The overrides of each job, how many repeated jobs were left out, and the studies for Optuna."""

    jobs: list[list[str]]
    repeated: int
    studies: list[Study]


class _Point(NamedTuple):
    """A combination of a grid's values, and the axes to be searched with it."""

    pairs: Pairs = ()
    searched: tuple[Axis, ...] = ()

    @property
    def overrides(self) -> list[str]:
        return [f"{key}={value}" for key, value in self.pairs]


def expand(
    arguments: Sequence[str],
    blocks: Sequence[Mapping[str, Any]] | None,
    loader: ConfigLoader,
    search: bool = False,
) -> Expansion:
    """The jobs of a sweep, without repeated ones.

    The command line's axes multiply with the grid's. Where both have an axis, the command line selects from the
    grid: only jobs with one of its values stay.

    Args:
        arguments: the command line's overrides of the task.
        blocks: ``sweep.grid``.
        search: whether intervals are to be searched.

    Raises:
        HydraException: an argument that cannot be read.
        ConfigError: an invalid block, or an axis that does not fit the grid.
    """
    parser = OverridesParser.create(config_loader=loader)
    axis_by_key: dict[str, Axis] = {}
    for argument in arguments:
        axis = parsed(parser, argument)
        if axis.interval is not None:
            axis = checked(axis, argument)
            if not search:
                raise ConfigError(
                    f"{argument}: expected values; to search an interval with Optuna, add sweep.trials=20"
                )
        elif (axis.key == "sweep" or axis.key.startswith("sweep.")) and len(axis.values) != 1:
            raise ConfigError(f"{argument}: expected one value for the whole sweep")
        axis_by_key[axis.key] = axis
    points = [_Point()] if blocks is None else _points(blocks, parser, search)
    named = {key for point in points for key, _ in point.pairs}
    points = _chosen(points, axis_by_key)
    searched = tuple(axis for axis in axis_by_key.values() if axis.interval is not None)
    rest = [
        axis.overrides() for key, axis in axis_by_key.items() if key not in named and axis.interval is None
    ]
    many = [f"{key} has {len(axis.values)}" for key, axis in axis_by_key.items() if len(axis.values) > 1]
    check_count(len(points) * prod(map(len, rest)), ", ".join(many) or "sweep.grid")
    more = [list(combination) for combination in product(*rest)]
    jobs: list[list[str]] = []
    studies = []
    for point in points:
        if axes := point.searched + searched:
            studies.append(Study(point.overrides, axes, more))
        else:
            jobs += [[*point.overrides, *combination] for combination in more]
    unique: dict[frozenset[str], list[str]] = {}
    for overrides in jobs:
        unique.setdefault(frozenset(overrides), overrides)
    return Expansion(list(unique.values()), len(jobs) - len(unique), studies)


def _chosen(points: list[_Point], axes: Mapping[str, Axis]) -> list[_Point]:
    """The grid's points that have the command line's values for the axes that both have."""
    chosen = points
    for key, axis in axes.items():
        if any(axis.key == key for point in points for axis in point.searched):
            raise ConfigError(
                f"{key}: the sweep's grid searches this setting, so it cannot be given on the command line"
            )
        values = {value for point in points for name, value in point.pairs if name == key}
        if not values:
            continue
        allowed = ", ".join(sorted(values))
        for value in axis.values or ("interval",):
            if value not in values:
                raise ConfigError(f"{key}={value}: expected one of the values of the sweep's grid, {allowed}")
        chosen = [point for point in chosen if dict(point.pairs).get(key) in axis.values]
    if not chosen:
        raise ConfigError(f"{' '.join(axes)}: the sweep's grid has no job with these values together")
    return chosen


def _points(blocks: Sequence[Mapping[str, Any]], parser: OverridesParser, search: bool) -> list[_Point]:
    if not blocks:
        raise ConfigError("sweep.grid=[]: expected one or more blocks of axes, or null")
    points: list[_Point] = []
    for at, block in enumerate(blocks):
        points += _block(block, f"sweep.grid[{at}]", parser, search)
        check_count(len(points), "sweep.grid")
    return points


def _block(block: Mapping[str, Any], name: str, parser: OverridesParser, search: bool) -> list[_Point]:
    block = with_intervals(block, name)
    axes = {
        key: from_setting(parser, f"{name}.{key}", key, value)
        for key, value in block.items()
        if key not in WORDS
    }
    beside = _zipped(block.get("zip"), f"{name}.zip", parser)
    if not axes and not beside:
        raise ConfigError(f"{name}: expected one or more axes, such as seed: range(0,3)")
    for axis in beside:
        if axis.key in axes:
            raise ConfigError(f"{name}.zip.{axis.key}: given twice, in zip and in the block itself")
    open_axes = tuple(axis for axis in axes.values() if axis.interval is not None)
    together = [_pairs([axis]) for axis in axes.values() if axis.interval is None]
    if beside:
        together.append(_pairs(beside))
    if not open_axes:
        if unused := [word for word in ("samples", "sample_seed") if word in block]:
            value = shown(block[unused[0]])
            raise ConfigError(
                f"{name}.{unused[0]}={value}: only used with an interval(low, high), and the block has none"
            )
    elif "samples" in block or not search:
        count = _number(block, "samples", 1, None, name)
        check_count(count, f"{name}.samples={count}")
        seed = _number(block, "sample_seed", 0, 0, name)
        together.append(_pairs([axis.drawn(count, seed) for axis in open_axes]))
        open_axes = ()
    check_count(prod(map(len, together)), name)
    return [_Point(tuple(pair for part in parts for pair in part), open_axes) for parts in product(*together)]


def _pairs(axes: Sequence[Axis]) -> list[Pairs]:
    """The axes in parallel: for each position, their settings with their values."""
    steps = zip(*(axis.values for axis in axes), strict=True)
    return [tuple(zip((axis.key for axis in axes), step, strict=True)) for step in steps]


def _zipped(values: Any, name: str, parser: OverridesParser) -> list[Axis]:
    if values is None:
        return []
    if not isinstance(values, Mapping) or len(values) < 2:
        raise ConfigError(f"{name}={shown(values)}: expected two or more axes")
    axes = [from_setting(parser, f"{name}.{key}", key, value) for key, value in values.items()]
    for axis in axes:
        if axis.interval is not None:
            raise ConfigError(
                f"{name}.{axis.key}: expected values; put intervals into the block itself, not into zip"
            )
    if len({len(axis.values) for axis in axes}) > 1:
        lengths = ", ".join(f"{axis.key} has {len(axis.values)}" for axis in axes)
        raise ConfigError(f"{name}: expected axes with equal numbers of values; {lengths}")
    return axes


def _number(block: Mapping[str, Any], word: str, least: int, default: int | None, name: str) -> int:
    value = block.get(word, default)
    if type(value) is not int or value < least:
        raise ConfigError(f"{name}.{word}={shown(value)}: expected an integer {least} or more")
    return value
