"""Calls: NumPy functions bound to the arrays that they read and write."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

Call = Callable[[], Any]
"""A NumPy function bound to the arrays that it reads and writes: a step is a list of them, bound once."""


def run(calls: Iterable[Call]) -> None:
    """Call them in order. No signal handler runs between two NumPy functions."""
    deque(map(operator.call, calls), maxlen=0)
