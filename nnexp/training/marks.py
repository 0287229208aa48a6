"""Marks: the iterations at which a run is logged, and which of them keep their weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from math import log10
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PER_DECADE = 30


def marks(every: int | None = None, per_decade: int = PER_DECADE) -> Iterator[int]:
    """0, then multiples of ``every``; without it 1, 2, 3, ... thinning out to ``per_decade``, without end.

    The logarithmic marks do not depend on a budget, so runs of unequal length share them; up to 10,000
    iterations there are 101 of 30 a decade.

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


def mark_after(iteration: int, per_decade: int = PER_DECADE) -> int:
    """The first logarithmic mark behind ``iteration``.

    >>> [mark_after(iteration) for iteration in (0, 1, 18, 19, 99_999)]
    [1, 2, 20, 20, 100000]
    """
    step = int(per_decade * log10(max(iteration, 1)))
    while (mark := round(10 ** (step / per_decade))) <= iteration:
        step += 1
    return mark


def log_spaced(iterations: Array, wanted: int) -> Array:
    """Positions of ``wanted`` (2 or more) of the increasing ``iterations``, spaced evenly in their logarithm.

    The first and the last are among them; all positions where there are no more than ``wanted``.

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
