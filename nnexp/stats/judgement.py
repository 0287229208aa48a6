"""The answer for a sweep: comparisons at equal iterations, evaluations and seconds, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from nnexp.stats.comparison import Comparison


class Judgement(NamedTuple):
    """A sweep judged: a comparison for each kind of cost, what is missing, what was tuned, and the text."""

    comparisons: dict[str, Comparison]
    """By axis: iteration, evaluations, seconds."""
    missing: pd.DataFrame
    """Cells of the grid without a finished run: task, method, seed, status (``missing`` where no run was)."""
    tuning: pd.DataFrame
    """One row a method: method, settings, tuned, runs, evaluations, seconds."""
    text: str


def judge(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    measure: str | None = None,
    axes: Sequence[str] = ("iteration", "evaluations", "seconds"),
    task: Sequence[str] | None = None,
    method: str | None = None,
    confidence: float = 0.95,
) -> Judgement:
    """Compare at equal cost of every kind, and say which method is better, by how much, how sure, at what cost."""
    raise NotImplementedError
