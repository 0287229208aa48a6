"""Methods compared on common seeds at equal cost: every table that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from nnexp.stats.ranks import Ranks

ALL = "all tasks"
"""In the column ``task``: over all tasks, each with the same weight."""


@dataclass(frozen=True)
class Comparison:
    """The methods of a sweep compared by one measure at one cost.

    Methods are the column ``method`` in all tables: the optimizer's name, with the settings in which its
    variants differ (``sgd momentum=0.9``). Intervals are ``low`` and ``high``.
    """

    measure: str
    axis: str
    """The cost at which values are read: iteration, evaluations, seconds or epochs."""
    at: pd.Series
    """That cost, by task."""
    confidence: float
    methods: list[str]
    """In order of the final answer, best first."""
    tasks: list[str]
    scores: pd.DataFrame
    """One row a run: task, method, seed, run_id, status, value, cost. A diverged run has its task's worst value,
    a failed, killed or missing one NaN."""
    summary: pd.DataFrame
    """One row a task and method, over tasks last: task, method, n, diverged, lost, mean, mean_low, mean_high, median,
    median_low, median_high, iqm, iqm_low, iqm_high, and the median cost: evaluations, seconds."""
    pairs: pd.DataFrame
    """One row a task and pair of methods, over tasks first: task, a, b, n_pairs, difference (a - b), low, high, p,
    p_holm, probability_a_better, cliffs_delta, seeds_needed, verdict. ``a`` is the one with the better mean."""
    targets: pd.Series
    """The value whose first reaching is timed, by task."""
    time_to_target: pd.DataFrame
    """One row a task and method: task, method, target, axis, n, reached, median, low, high (may be infinite),
    restricted_mean, horizon."""
    time_pairs: pd.DataFrame
    """As ``pairs``, of the time to the target, restricted to the horizon."""
    profiles: pd.DataFrame
    """Dolan-More profiles over tasks x seeds: method, tau, share."""
    ranks: Ranks
    verdict: str
    """The outcome in words."""


def compare(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    measure: str | None = None,
    axis: str = "iteration",
    at: float | None = None,
    task: Sequence[str] | None = None,
    method: str | None = None,
    target: float | Mapping[str, float] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare the methods of ``runs`` at equal cost on common seeds.

    Args:
        runs: as :func:`nnexp.results.load_runs` gives.
        history: as :func:`nnexp.results.load_history` gives.
        measure: None for :func:`nnexp.stats.default_measure`'s.
        axis: of the cost: ``iteration``, ``evaluations``, ``seconds`` or ``epochs``.
        at: the cost at which values are read; None for the largest that all finished runs of a task reach.
        task: columns of ``runs`` that make a task; None for those that vary and are no setting of a method.
        method: column of ``runs`` that names the methods; None for the optimizer and what varies in it.
        target: the value that is timed, of every task or by task; None for each task's median answer.

    Raises:
        ValueError: an unknown measure, axis or column, or fewer than two methods or no common seed.
    """
    raise NotImplementedError
