"""The kind of cost that limits a sweep's budget, at which methods are compared."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nnexp.results.columns import AXES

LIMITS = {
    "iteration": "budget.iterations",
    "evaluations": "budget.evaluations",
    "seconds": "budget.seconds",
}
STEP = {"iteration": 0.0, "evaluations": 2.0, "seconds": 0.0}
"""By how much a run may end below its limit: a gradient step of three evaluations must fit into the budget."""


def budget_axis(runs: pd.DataFrame, history: pd.DataFrame) -> str:
    """The axis of the limit at which most finished runs ended, ``iteration`` where none is known.

    If several limits were reached by equally many runs, the first of iterations, evaluations and seconds.
    """
    finished = runs[runs["status"] == "finished"]
    ends = history.groupby("run_id")[list(AXES)].max().reindex(finished["run_id"])
    reached = dict.fromkeys(AXES, 0)
    for axis, name in LIMITS.items():
        if name in finished:
            limit = pd.to_numeric(finished[name], errors="coerce").to_numpy(float)
            reached[axis] = int((ends[axis].to_numpy(float) >= limit - STEP[axis]).sum())
    return max(reached, key=lambda axis: reached[axis])


def budget_first(runs: pd.DataFrame, history: pd.DataFrame, axes: Sequence[str] = AXES) -> list[str]:
    """``axes``, with that of :func:`budget_axis` first."""
    first = budget_axis(runs, history)
    return sorted(axes, key=lambda axis: axis != first)
