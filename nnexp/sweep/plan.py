"""Which jobs of a sweep are trained together, for so many workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil
from random import Random

from nnexp.config.schema import Config
from nnexp.training.group import chunk, key

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
    come first: small ones at the end let all workers end together, and leave little to be recorded then. One
    of several workers begins with small ones all the same, so that there is something to be recorded soon. Among
    equally large ones the order is a randomised block design: by seed, and drawn within a seed, always the same.

    Args:
        workers: how many groups are trained at once.
        most: jobs of a group; None for what suits cache and workers.
    """
    alike: dict[object, list[int]] = {}
    for position, config in enumerate(configs):
        alike.setdefault(key(config, config.tracking.log_every), []).append(position)
    shares = ceil(SHARES / max(len(alike), 1))
    groups = []
    for positions in alike.values():
        size = most or _size(configs[positions[0]], len(positions), workers * shares if workers > 1 else 1)
        groups += [positions[at : at + size] for at in range(0, len(positions), size)]

    def order(group: list[int]) -> tuple[float, ...]:
        # A machine that slows down, or a worker whose core has other work, then slows all methods alike. In a fixed
        # order two workers trained one of two methods each, and the slower worker's method was called the worse one.
        seed = configs[group[0]].seed
        return -len(group), seed, Random(f"{seed} {group[0]}").random()

    return _begun(sorted(groups, key=order), workers)


def _begun(groups: list[list[int]], workers: int) -> list[list[int]]:
    """Groups, largest first, in the order in which workers begin them of which one prefers small ones.

    A run is taken to last as long as any other.
    """
    left, order = deque(groups), []
    free = [(0, worker) for worker in range(workers)]
    while left:
        at, worker = heappop(free)
        small = workers > 1 and worker == workers - 1 and len(left[-1]) < len(left[0])
        group = left.pop() if small else left.popleft()
        order.append(group)
        heappush(free, (at + len(group), worker))
    return order


def _size(config: Config, count: int, wanted: int) -> int:
    """Jobs of a group, out of ``count`` of which ``wanted`` groups or more are to be made if that pays."""
    if not config.optimizer.needs_gradient:
        return SMALL_GROUP
    groups = max(ceil(count / chunk(config)), min(wanted, count // LEAST), 1)
    return ceil(count / groups)


def unbatched(configs: Sequence[Config]) -> list[str]:
    """The names of the methods among them that cannot be batched."""
    return list(dict.fromkeys(one.optimizer.name for one in configs if not one.optimizer.batched))
