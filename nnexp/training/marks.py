"""Marks: the iterations at which a run is logged, and those whose weights are kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from math import log10
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PER_DECADE = 30

SHARE = 0.2
"""The share of training's multiplications that measuring may take."""

FREE_WORK = 10**9
"""Multiplications that measuring may take in any case: some hundredths of a second."""


def marks(every: int | None = None, per_decade: int = PER_DECADE) -> Iterator[int]:
    """0, then multiples of ``every``; without it 1, 2, 3, ... and later ``per_decade`` log-spaced marks, without end.

    The logarithmic marks do not depend on a budget, so that runs of different lengths share them; up to 10,000
    iterations there are 101 with 30 a decade.

    >>> from itertools import islice
    >>> list(islice(marks(every=50), 4))
    [0, 50, 100, 150]
    >>> list(islice(marks(), 25))[15:]
    [15, 16, 17, 18, 20, 22, 23, 25, 27, 29]
    """
    if every is not None:
        yield from count(0, every)
    mark = 0
    while True:
        yield mark
        mark = mark_after(mark, per_decade)


def affordable(
    of: Iterator[int], row: float, step: float, work: float = 1, free: float | None = None
) -> Iterator[int]:
    """The marks whose rows take at most ``free`` multiplications and :data:`SHARE` of training's; the first always.

    Counted in samples, not in seconds: the marks are the same on any machine, alone and in a group.

    Args:
        row: forward passes of one sample for measuring a row.
        step: forward passes of one sample for one iteration.
        work: multiplications of one such pass.
        free: None for :data:`FREE_WORK`.

    >>> from itertools import islice
    >>> list(islice(affordable(marks(), 1000, 100, free=0), 6))
    [0, 50, 100, 158, 200, 251]
    """
    spent, least = 0.0, FREE_WORK if free is None else free
    for mark in of:
        if spent * work <= least + SHARE * mark * step * work:
            yield mark
            spent += row


@lru_cache(4096)  # The runs of a group have the same marks.
def mark_after(iteration: int, per_decade: int = PER_DECADE) -> int:
    """The first logarithmic mark after ``iteration``.

    >>> [mark_after(iteration) for iteration in (0, 1, 18, 19, 99_999)]
    [1, 2, 20, 20, 100000]
    """
    # The steps before round to the iteration, or to one before it.
    step = max(int(per_decade * log10(iteration + 0.5)) - 1, 0)
    while (mark := round(10 ** (step / per_decade))) <= iteration:
        step += 1
    return mark


def log_spaced(iterations: Array, wanted: int) -> Array:
    """``wanted`` (2 or more) positions in the increasing ``iterations``, evenly spaced in the logarithm.

    They include the first and the last; all positions where there are no more than ``wanted``.

    >>> log_spaced(np.array([0, 1, 2, 3, 5, 10, 30, 100]), 4).tolist()
    [0, 1, 5, 7]
    """
    last = len(iterations) - 1
    if last < wanted:
        return np.arange(last + 1)
    if wanted == 2:
        return np.array([0, last])
    grid = np.geomspace(max(1, iterations[1]), iterations[-1], max(wanted, 2) - 1)
    at = np.concatenate([[0], np.searchsorted(iterations, np.ceil(grid - 1e-9)).clip(0, last)])
    # Small iterations round to the same number: move such positions on, then back from the end.
    steps = np.arange(len(at))
    at = np.maximum.accumulate(at - steps) + steps
    return np.minimum(at, last - steps[::-1])
