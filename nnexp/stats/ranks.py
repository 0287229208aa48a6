"""Average ranks over tasks, and the numbers of a critical-difference diagram."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

Array = np.ndarray[Any, Any]

FEWEST_TASKS = 5
"""With fewer tasks Friedman's test has too little power for a diagram."""


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


def ranks(answers: Array, methods: list[str], confidence: float = 0.95) -> Ranks:
    """Rank the methods on each task by their mean over seeds, and test whether the ranks differ (Demsar 2006).

    Friedman's test over tasks, then Nemenyi's critical difference q sqrt(k (k + 1) / (6 N)), with q the
    quantile of the studentized range over sqrt(2). Seeds of a task do not count as tasks.

    Args:
        answers: ``(T, M)``, lower is better; tasks with a NaN are left out.
    """
    whole = answers[~np.isnan(answers).any(1)]
    tasks, many = len(whole), len(methods)
    placed = stats.rankdata(whole, axis=1).mean(0) if tasks else np.full(many, np.nan)
    order = np.argsort(placed, kind="stable")
    table = pd.DataFrame({"method": [methods[m] for m in order], "rank": placed[order]})
    if tasks < FEWEST_TASKS or many < 3:
        reason = (
            f"{tasks} task{'s' * (tasks != 1)}, {FEWEST_TASKS} or more are needed"
            if tasks < FEWEST_TASKS
            else f"{many} methods, 3 or more are needed"
        )
        return Ranks(table, tasks, np.nan, np.nan, np.nan, [], reason)
    test = (0.0, 1.0) if (whole == whole[:, :1]).all() else stats.friedmanchisquare(*whole.T)
    difference = critical_difference(many, tasks, confidence)
    return Ranks(table, tasks, float(test[0]), float(test[1]), difference, _groups(table, difference), "")


def critical_difference(methods: int, tasks: int, confidence: float = 0.95) -> float:
    """Nemenyi's: the distance of average ranks beyond which two of k methods differ on N tasks."""
    quantile = stats.studentized_range.ppf(confidence, methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(methods * (methods + 1) / (6 * tasks)))


def _groups(table: pd.DataFrame, difference: float) -> list[tuple[str, ...]]:
    rank, names = table["rank"].to_numpy(float), table["method"].tolist()
    groups: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(rank)):
        end = int(np.searchsorted(rank, rank[start] + difference, side="right"))
        if end > max(reached, start + 1):
            groups.append(tuple(names[start:end]))
            reached = end
    return groups
