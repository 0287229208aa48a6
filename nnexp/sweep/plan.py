"""Which jobs of a sweep are trained together, for so many workers."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from nnexp.config import Config, Sgd
from nnexp.group import chunk, key

SMALL_GROUP = 8
"""Runs that bring each other nothing: enough to hand over at once, few enough to share between workers."""

SHARES = 2
"""Groups of gradient runs a worker, where there are enough jobs and nothing else to do at the end."""

LEAST = 8
"""Runs below which a group is not divided further: the fixed cost of a step is then hardly shared."""


def plan(configs: Sequence[Config], workers: int = 1, most: int | None = None) -> list[list[int]]:
    """Positions of the jobs of each group; every job is in one group.

    Gradient runs share the fixed cost of their steps, so their groups are as large as the cache allows,
    unless workers would be idle. Searches fill their calls with candidates of their own. The largest groups
    come first: small ones at the end let all workers end together, and leave little to be recorded then.

    Args:
        workers: how many groups are trained at once.
        most: jobs of a group; None for what suits cache and workers.
    """
    alike: dict[object, list[int]] = {}
    for position, config in enumerate(configs):
        alike.setdefault(key(config), []).append(position)
    shares = ceil(SHARES / max(len(alike), 1))
    groups = []
    for positions in alike.values():
        size = most or _size(configs[positions[0]], len(positions), workers * shares if workers > 1 else 1)
        groups += [positions[at : at + size] for at in range(0, len(positions), size)]
    return sorted(groups, key=lambda group: (-len(group), group))


def _size(config: Config, count: int, wanted: int) -> int:
    """Jobs of a group, out of ``count`` of which ``wanted`` groups or more are to be made if that pays."""
    if not isinstance(config.optimizer, Sgd):
        return SMALL_GROUP
    groups = max(ceil(count / chunk(config)), min(wanted, count // LEAST), 1)
    return ceil(count / groups)
