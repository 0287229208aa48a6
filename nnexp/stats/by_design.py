"""The pairs of a comparison by the rules of the sweep's sequential design, for any cost and measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nnexp.stats.design import DesignRecord
from nnexp.stats.scores import Scores
from nnexp.stats.sequential import DIFFERENT, closed_at, repeated_interval
from nnexp.stats.standing import BETTER, UNDECIDED

Array = np.ndarray[Any, Any]

PLAIN = ["p", "p_holm", "p_mean", "seeds_needed"]
"""Columns for a fixed number of seeds, which do not apply here."""


def by_design(
    pairs: pd.DataFrame, scores: Scores, record: DesignRecord, measure: str, axis: str
) -> pd.DataFrame:
    """``pairs`` of one family with the design's verdicts and intervals in place of those for a fixed number of seeds.

    Stopping at a look takes crossings away and adds none, so the path test holds its level for each measure and cost,
    whichever of them ended the sweep; each is a family of its own. Where the measure and the cost are the
    design's, the scores are those that the looks have seen. Pairs of single tasks have no interval.
    """
    plan, sign = record.design.plan, -1.0 if scores.higher else 1.0
    own = (measure, axis) == (record.design.measure, record.design.axis)
    values = record.values() if own else sign * _by_seed(scores, record)
    tasks, methods = (record.design.tasks, record.design.methods) if own else (scores.tasks, scores.methods)

    def answers(task: str, method: str) -> Array:
        each = values[:, methods.index(method)]
        return np.asarray(each[tasks.index(task)] if task in tasks else each.mean(0))

    differences = np.nan_to_num(
        [answers(row.task, row.a) - answers(row.task, row.b) for row in pairs.itertuples()]
    )
    deciding = pairs["task"].nunique() == 1
    # Runs that were timed together are one observation; the test needs independent seeds.
    apart = (pairs["observations"] == pairs["seeds"]).tolist()
    rows = []
    for difference, (seeds, outcome), alone in zip(
        differences, closed_at(plan, differences), apart, strict=True
    ):
        used = difference[:seeds]
        better = alone and outcome == DIFFERENT and used.mean() < 0
        ends = [np.nan, np.nan]
        if deciding and seeds and alone:
            ends = sorted(sign * np.array(repeated_interval(plan, used, plan.alpha / len(pairs))))
        rows.append(
            (BETTER if better else UNDECIDED, *(ends if np.isfinite(ends).all() else (np.nan, np.nan)))
        )
    verdicts, low, high = zip(*rows, strict=True)
    return pairs.assign(**dict.fromkeys(PLAIN, np.nan), verdict=verdicts, low=low, high=high)


def _by_seed(scores: Scores, record: DesignRecord) -> Array:
    """Answers ``(T, M, n)`` in the order of the design's seeds, NaN where there is no run."""
    seeds = [record.design.seed + at for at in range(record.design.most)]
    known = [seed for seed in seeds if seed in scores.seeds]
    count = seeds.index(known[-1]) + 1 if known else 0
    values = np.full((*scores.values.shape[:2], count), np.nan)
    for at, seed in enumerate(seeds[:count]):
        if seed in scores.seeds:
            values[..., at] = scores.values[..., scores.seeds.index(seed)]
    return values
