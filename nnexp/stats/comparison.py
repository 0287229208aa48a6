"""Methods compared on common seeds at equal cost: every table that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nnexp.losses.measures import Measure
from nnexp.results import COSTS, budget_axis, measure_of
from nnexp.results.labels import cells, left_out
from nnexp.stats.aggregates import aggregate
from nnexp.stats.by_design import by_design
from nnexp.stats.design import DesignRecord
from nnexp.stats.intervals import median_level
from nnexp.stats.measure import default_measure
from nnexp.stats.pairs import corrected, pair_rows
from nnexp.stats.profiles import profiles
from nnexp.stats.ranks import Ranks, ranks
from nnexp.stats.scores import Scores, read_scores
from nnexp.stats.standing import ordered
from nnexp.stats.targets import default_targets, target_table, times
from nnexp.stats.verdict import verdict

Array = np.ndarray[Any, Any]

ALL = "all tasks"
"""The value of the column ``task`` for all tasks together, each with the same weight."""


@dataclass(frozen=True)
class Comparison:
    """The methods of a sweep compared by one measure at one cost.

    Methods are the column ``method`` in all tables: the optimizer's name, with the settings in which its
    variants differ (``sgd momentum=0.9``). Intervals are ``low`` and ``high``.
    """

    measure: str
    about: Measure
    """The measure's label, and whether higher is better."""
    axis: str
    """The cost at which values are read: iteration, evaluations, seconds or epochs."""
    at: pd.Series
    """That cost, by task."""
    confidence: float
    methods: list[str]
    """Best first, in the order of :func:`nnexp.stats.standing.ordered`: by means, on the common seeds of each pair."""
    tasks: list[str]
    left_out: dict[str, str]
    """Tasks that are not compared, because no run has an answer on them, with the number of runs by status."""
    scores: pd.DataFrame
    """One row a run: task, method, seed, run_id, status, end, at, diverged, value, evaluations, seconds. A diverged
    run has its task's worst value, a failed, killed or missing one NaN."""
    summary: pd.DataFrame
    """One row a task and method, over tasks last: task, method, n, diverged, lost, mean, mean_low, mean_high, median,
    median_low, median_high, iqm, iqm_low, iqm_high, median_level, and the median costs evaluations and seconds. An
    interval is NaN where there are too few runs for one; ``median_level`` is the level that the median's has."""
    pairs: pd.DataFrame
    """One row a task and pair of methods, over tasks first: task, a, b, tasks, n_pairs, seeds, observations,
    difference (a - b), low, high, p, p_holm, shapes_differ, p_mean, probability_a_better, cliffs_delta, seeds_needed,
    verdict. ``a`` is the better one on common seeds. ``observations`` are the seeds, at equal seconds the independent
    timings. ``p`` is of the hypothesis that the difference on a seed is as likely to be +d as -d, ``p_mean`` that means
    are equal (:mod:`nnexp.stats.equal_means`: at its level for accuracies, roughly for losses), for where
    ``shapes_differ``. Holm's families are the pairs over tasks, and all pairs of single tasks."""
    targets: pd.Series
    """The value whose first reaching is timed, by task."""
    time_to_target: pd.DataFrame
    """One row a task and method: task, method, target, axis, n, reached, median, low, high (may be infinite), level (of
    the interval; NaN where there is none), restricted_mean, horizon."""
    time_pairs: pd.DataFrame
    """As ``pairs``, of the time to the target, restricted to the horizon."""
    profiles: pd.DataFrame
    """Dolan-More profiles over tasks x seeds: method, tau, share."""
    ranks: Ranks
    verdict: str
    """The outcome in words."""

    @property
    def overall(self) -> pd.DataFrame:
        """The pairs that decide: those over all tasks, or of the only task."""
        return self.pairs[self.pairs["task"] == self.pairs["task"].iloc[0]]

    def ordered(self, task: str) -> list[str]:
        """The methods on one task, or over tasks, best first."""
        pairs, summary = self.pairs[self.pairs["task"] == task], self.summary[self.summary["task"] == task]
        return ordered(summary, pairs, higher=self.about.higher)


def compare(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    measure: str | None = None,
    axis: str | None = None,
    at: float | None = None,
    task: Sequence[str] | None = None,
    method: str | None = None,
    target: float | Mapping[str, float] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    design: DesignRecord | None = None,
) -> Comparison:
    """Compare the methods of ``runs`` at equal cost on common seeds.

    Args:
        runs: as :func:`nnexp.results.load_runs` gives.
        history: as :func:`nnexp.results.load_history` gives.
        measure: None for :func:`nnexp.stats.default_measure`'s.
        axis: of the cost: ``iteration``, ``evaluations``, ``seconds`` or ``epochs``; None for
            :func:`nnexp.results.budget_axis`'s.
        at: the cost at which values are read; None for the largest that all finished runs of a task reach.
        task: columns of ``runs`` that make a task; None for those that vary and are not settings of a method.
        method: column of ``runs`` that names the methods; None for the optimizer and what varies in it.
        target: the value that is timed, of every task or by task; None for the middle of the methods' median answers.
        resamples: of the bootstrap.
        seed: of resamples and sign patterns.
        design: of a sweep that chose its seeds itself; its rules replace those for a fixed number of seeds.

    Raises:
        ValueError: an unknown measure, axis or column, or fewer than two methods or no common seed.
    """
    if resamples < 1:
        raise ValueError(f"resamples={resamples}: expected 1 or more")
    measure = measure or default_measure(runs)
    axis = axis or budget_axis(runs, history)
    found = cells(runs, task, method)
    scores = read_scores(found, history, measure, axis, at)
    if len(scores.methods) < 2:
        raise ValueError(f"method={', '.join(scores.methods)}: expected two or more methods to compare")
    about = measure_of(history, measure)
    sign = -1.0 if about.higher else 1.0
    pairs = _pairs(scores, scores.values, scores.orders, sign, confidence, seed, about.share)
    if not pairs["n_pairs"].any():
        raise ValueError("methods: expected two methods with runs of the same task and seed, there are none")
    if design is not None:
        families = [pairs[(pairs["task"] == ALL) == over] for over in (True, False)]
        ruled = [by_design(rows, scores, design, measure, axis) for rows in families if len(rows)]
        pairs = pd.concat(ruled, ignore_index=True)
    summary = _summary(scores, confidence, resamples, seed, design is None)
    last = summary[summary["task"] == summary["task"].iloc[-1]]
    methods = ordered(last, pairs[pairs["task"] == pairs["task"].iloc[0]], higher=about.higher)
    targets = _targets(scores, target)
    reached = times(scores, history, measure, axis, targets)
    horizon = scores.at.reindex(scores.tasks).to_numpy(float)[:, None, None]
    told = verdict(
        *(measure, about, axis, scores.at, confidence, methods, scores.tasks),
        *(scores.table, summary, pairs, scores.left_out),
    )
    comparison = Comparison(
        measure=measure,
        about=about,
        axis=axis,
        at=scores.at,
        confidence=confidence,
        methods=methods,
        tasks=scores.tasks,
        left_out=scores.left_out,
        scores=scores.table,
        summary=summary,
        pairs=pairs,
        targets=targets,
        time_to_target=target_table(scores, reached, targets, axis, confidence),
        time_pairs=_pairs(scores, np.minimum(reached, horizon), reached, 1.0, confidence, seed),
        profiles=profiles(reached.swapaxes(0, 1).reshape(len(scores.methods), -1), scores.methods),
        ranks=ranks(sign * _task_means(scores), scores.methods, confidence),
        verdict="\n".join(filter(None, [told, left_out(found)])),
    )
    return comparison


def _pairs(
    scores: Scores,
    values: Array,
    orders: Array,
    sign: float,
    confidence: float,
    seed: int,
    bounded: bool = False,
) -> pd.DataFrame:
    """Pairs over tasks, where there are several, and pairs of single tasks; the two are separate families."""
    clocks = scores.clocks
    single = [
        pair_rows(
            values[t : t + 1], orders[t : t + 1], scores.methods, sign, confidence, seed,
            None if clocks is None else clocks[t : t + 1],
            bounded,
        ).assign(task=task)
        for t, task in enumerate(scores.tasks)
    ]  # fmt: skip
    by_task = corrected(pd.concat(single, ignore_index=True), confidence)
    if len(scores.tasks) == 1:
        return by_task
    over = pair_rows(values, orders, scores.methods, sign, confidence, seed, clocks, bounded).assign(task=ALL)
    return pd.concat([corrected(over, confidence), by_task], ignore_index=True)


def _summary(
    scores: Scores, confidence: float, resamples: int, seed: int, every_seed: bool = True
) -> pd.DataFrame:
    """A row a task and method, over tasks last.

    Args:
        every_seed: whether each method should have each seed, so that a missing run is counted as lost.
    """
    rng = np.random.default_rng(seed)
    groups = [(task, [t]) for t, task in enumerate(scores.tasks)]
    if len(groups) > 1:
        groups.append((ALL, list(range(len(groups)))))
    rows = []
    for task, members in groups:
        for m, method in enumerate(scores.methods):
            own = scores.table[scores.table["method"] == method]
            own = own if task == ALL else own[own["task"] == task]
            strata = [values[~np.isnan(values)] for values in scores.values[members, m]]
            # A mean over tasks without one of them is not comparable with the others.
            whole = strata if all(map(len, strata)) else []
            estimates = aggregate(whole, confidence, resamples, rng)
            row: dict[str, Any] = {
                "task": task,
                "method": method,
                "n": int(own["value"].notna().sum()),
                "diverged": int(own["diverged"].sum()),
                "lost": (len(members) * len(scores.seeds) if every_seed else len(own))
                - int(own["value"].notna().sum()),
            }
            for name, estimate in estimates._asdict().items():
                row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            alone = median_level(row["n"], confidence) if len(members) == 1 else confidence
            row["median_level"] = alone if np.isfinite(row["median_low"]) else np.nan
            rows.append(row | {name: own[name].dropna().median() for name in COSTS})
    return pd.DataFrame(rows)


def _targets(scores: Scores, target: float | Mapping[str, float] | None) -> pd.Series:
    if target is None:
        return default_targets(scores)
    if isinstance(target, Mapping):
        for task in scores.tasks:
            if task not in target:
                raise ValueError(f"target: expected a value for each task; {task} has none")
        return pd.Series({task: float(target[task]) for task in scores.tasks})
    return pd.Series(float(target), index=scores.tasks)


def _task_means(scores: Scores) -> Array:
    """Mean answers ``(T, M)`` on the common seeds of all methods, NaN where there is none."""
    shared = ~np.isnan(scores.values).any(1, keepdims=True)
    total = np.where(shared, scores.values, 0.0).sum(-1)
    return np.divide(total, shared.sum(-1), where=shared.any(-1), out=np.full(total.shape, np.nan))
