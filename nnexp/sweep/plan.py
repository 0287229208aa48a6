"""Which jobs of a sweep are trained together, depending on the number of workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil
from random import Random

from nnexp.config.schema import Config
from nnexp.training.group import chunk, key

SMALL_GROUP = 8
"""The group size of gradient-free runs, which gain nothing from each other: a compromise of overhead and balance."""

SHARES = 2
"""Groups of gradient runs for each worker, where there are enough jobs."""

LEAST = 8
"""The least runs of a divided group: in smaller ones the fixed cost of a step dominates."""


def plan(configs: Sequence[Config], workers: int = 1, most: int | None = None) -> list[list[int]]:
    """Positions of the jobs of each group; every job is in one group.

    Gradient runs share the fixed cost of their steps, so their groups are as large as the cache allows, unless
    workers would be idle. Searches fill their calls with candidates already. The largest groups come first: small
    ones at the end let all workers end at about the same time, and leave little to record then. But one of several
    workers begins with small groups, so that there is something to record soon. Groups of the same size are in the
    order of a randomized block design: by seed, and within a seed in a random order that is always the same.

    Args:
        workers: how many groups are trained at once.
        most: jobs of a group; None: chosen by cache size and number of workers.
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
        # If the machine or one worker becomes slower, all methods are then affected alike. In a fixed order, two
        # workers trained one of two methods each, and the slower worker's method seemed to be the slower method.
        seed = configs[group[0]].seed
        return -len(group), seed, Random(f"{seed} {group[0]}").random()

    return _begun(sorted(groups, key=order), workers)


def _begun(groups: list[list[int]], workers: int) -> list[list[int]]:
    """Reorder groups, largest first, so that one of the workers begins with small ones.

    All runs are assumed to take equally long.
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
    """The jobs of a group, if ``count`` jobs are divided into ``wanted`` or more groups where that is worthwhile."""
    if not config.optimizer.needs_gradient:
        return SMALL_GROUP
    groups = max(ceil(count / chunk(config)), min(wanted, count // LEAST), 1)
    return ceil(count / groups)


def unbatched(configs: Sequence[Config]) -> list[str]:
    """The names of their methods that cannot be batched."""
    return list(dict.fromkeys(one.optimizer.name for one in configs if not one.optimizer.batched))
