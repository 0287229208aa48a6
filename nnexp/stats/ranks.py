"""Average ranks over tasks and the numbers of a critical-difference diagram (Demsar 2006)."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd


class Ranks(NamedTuple):
    """Average ranks of methods over tasks, 1 the best.

    ``table`` has the columns ``method``, ``rank``, best first. With too few tasks the other numbers are NaN,
    ``groups`` is empty and ``reason`` says why.
    """

    table: pd.DataFrame
    tasks: int
    friedman: float
    p: float
    critical_difference: float
    groups: list[tuple[str, ...]]
    """Sets of methods whose ranks do not differ by the critical difference: the bars of the diagram."""
    reason: str
