"""The verdict of a sweep that ran until it was decided, from its record alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from nnexp.losses.measures import spoken_name
from nnexp.stats.design import DesignRecord, counted
from nnexp.stats.sequential import (
    DIFFERENT,
    SAME,
    UNDECIDED,
    Decision,
    pair_differences,
    repeated_interval,
)
from nnexp.stats.verdict import cost, count

Array = np.ndarray[Any, Any]

SKEW_LEVEL, SKEW_SEEDS = 0.05, 8
"""The level of D'Agostino's test of skewness, and the least number of seeds for it."""

MOST_LINES = 12
"""The most pairs that have a line each."""


class SequentialVerdict(NamedTuple):
    """The outcome of a design.

    Attributes:
        pairs: one row a pair: a, b, outcome (different, same, undecided), seeds, difference (a - b, in the measure's
            own units), low, high, skewness, skewed, seeds_without_lost, difference_without_lost. Where they differ
            ``a`` is the better one. Intervals hold for all pairs at once, each at its own last look.
        seeds: by method.
        headline: the outcome in a sentence; ``text`` with all that belongs to it.
    """

    pairs: pd.DataFrame
    seeds: dict[str, int]
    headline: str
    text: str


def sequential_verdict(record: DesignRecord) -> SequentialVerdict:
    """The verdict of a design at its last look."""
    decision = record.decision()
    pairs = _pairs(record, decision)
    seeds = {
        name: max(len(scores[name]) for scores in record.scores.values()) for name in record.design.methods
    }
    headline = _headline(record, decision, pairs)
    return SequentialVerdict(pairs, seeds, headline, _text(record, decision, pairs, seeds, headline))


def _pairs(record: DesignRecord, decision: Decision) -> pd.DataFrame:
    design, plan = record.design, record.design.plan
    differences, dropped = pair_differences(record.means()), _dropped(record)
    level = design.alpha / len(plan.pairs)
    rows = []
    for pair, own, healthy in zip(decision.pairs, differences, dropped, strict=True):
        used = own[: pair.seeds]
        turn = 1.0 if pair.difference <= 0 else -1.0
        names = (design.methods[pair.one], design.methods[pair.two])
        low, high = repeated_interval(plan, turn * used, level)
        ends = (
            sorted((design.sign * low, design.sign * high)) if np.isfinite(high - low) else [np.nan, np.nan]
        )
        known = turn * healthy[: pair.seeds]
        known = known[~np.isnan(known)]
        rows.append(
            {
                "a": names[0] if turn > 0 else names[1],
                "b": names[1] if turn > 0 else names[0],
                "outcome": pair.outcome,
                "seeds": pair.seeds,
                "difference": design.sign * turn * pair.difference,
                "low": ends[0],
                "high": ends[1],
                "skewness": _skewness(turn * used) * design.sign,
                "skewed": _skewed(used),
                "seeds_without_lost": len(known),
                "difference_without_lost": design.sign * float(known.mean()) if len(known) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _dropped(record: DesignRecord) -> Array:
    """Differences ``(K, n)`` where both methods ended well on all tasks, else NaN."""
    means = record.means(worst=False)
    one, two = np.triu_indices(len(means), 1)
    return np.asarray(means[one] - means[two])


def _skewness(values: Array) -> float:
    return float(stats.skew(values)) if np.ptp(values) > 0 else 0.0


def _skewed(values: Array) -> bool:
    enough = len(values) >= SKEW_SEEDS and np.ptp(values) > 1e-12 * np.abs(values).max()
    return bool(enough and stats.skewtest(values).pvalue <= SKEW_LEVEL)


def _headline(record: DesignRecord, decision: Decision, pairs: pd.DataFrame) -> str:
    design = record.design
    where = f"by {spoken_name(design.measure)} at {cost(pd.Series(design.at), design.axis)}"
    best = _best(record, pairs)
    beaten = [name for name in design.methods if name not in best]
    if len(best) == 1:
        return f"{best[0]} is better than {_listed(beaten)} {where}."
    left = pairs[pairs["a"].isin(best) & pairs["b"].isin(best)]
    if best and (left["outcome"] == SAME).all():
        text = f"{_listed(best)} are the same within {design.margin:g} {where}"
    elif record.seen < design.most:
        text = f"Not decided yet which of {_listed(best)} is best {where}"
    else:
        text = f"Not enough evidence which of {_listed(best)} is best {where}, at most {design.most} seeds"
    return text + (
        f", and better than {_listed(beaten)}." if beaten and (left["outcome"] == SAME).all() else "."
    )


def _best(record: DesignRecord, pairs: pd.DataFrame) -> list[str]:
    """The methods for which no other method is shown to be better."""
    worse = set(pairs.loc[pairs["outcome"] == DIFFERENT, "b"])
    return [name for name in record.design.methods if name not in worse] or record.design.methods


def _text(
    record: DesignRecord, decision: Decision, pairs: pd.DataFrame, seeds: dict[str, int], headline: str
) -> str:
    design, number = record.design, len(pairs)
    taken = [str(look["seeds"]) for look in record.looks]
    total = len(design.plan.looks)
    lines = [
        headline,
        f"Sequential: {len(taken)} of at most {total} looks were taken, at {_listed(taken)} seeds; "
        f"{decision.decided} of {count(number, 'pair')} decided. The chance of any false claim, over all "
        f"{count(number, 'pair')} and all looks, is at most {design.alpha:.0%} where differences are symmetric"
        + ("" if design.margin is None else f", and another {design.alpha:.0%} for claims of sameness")
        + ".",
        "Seeds by method: " + ", ".join(f"{name} {many}" for name, many in seeds.items()) + ".",
    ]
    level = 1 - design.alpha / number
    leading = pairs["a"].isin(_best(record, pairs))
    order = pairs.assign(leading=~leading, outcome=pairs["outcome"].map([DIFFERENT, SAME, UNDECIDED].index))
    shown = pairs.loc[order.sort_values(["leading", "outcome"], kind="stable").index]
    lines += [_pair(row, record, level) for _, row in shown.head(MOST_LINES).iterrows()]
    if number > MOST_LINES:
        lines.append(f"- {number - MOST_LINES} more pairs are in the table.")
    if (pairs["outcome"] == UNDECIDED).any() and record.seen >= design.most:
        told = "Undecided does not mean equal"
        if design.margin is None:
            told += "; sweep.margin tests for equality, and without it equal methods always get all seeds"
        lines.append(f"{told}.")
    if pairs["skewed"].any():
        worst = pairs.loc[pairs["skewed"]]
        names = ", ".join(f"{row.a} - {row.b} ({row.skewness:+.1f})" for row in worst.itertuples())
        lines.append(
            f"Skewed differences: {names}. There the level is not held for equal means: by simulation 6 to 17% "
            "of comparisons claim a difference."
        )
    if told := counted(record.lost(), design.methods):
        values = ", ".join(f"{task} {value:.4g}" for task, value in design.worst.items())
        lines.append(
            f"Lost runs: {told}; they count as {spoken_name(design.measure)} {values}, fixed before the first look. "
            "Without them: " + _without(pairs) + "."
        )
    lines += [
        f"Changed after a look: {change}. The level is not that of the design." for change in record.changes
    ]
    lines.append(
        "Differences at a stop are larger on average than the true ones. Intervals hold for all pairs at once; one may "
        "hold 0 where Holm's step-down, which lets what is decided ease the rest, has decided."
    )
    return "\n".join(lines)


def _pair(row: pd.Series, record: DesignRecord, level: float) -> str:
    measure = spoken_name(record.design.measure)
    around = (
        "no interval so early" if np.isnan(row["low"])
        else f"{level:.1%} interval [{row['low']:.3g}, {row['high']:.3g}]"
    )  # fmt: skip
    size = f"{measure} {row['difference']:+.3g}, {around}, {row['seeds']} seeds"
    if row["outcome"] == DIFFERENT:
        return f"- {row['a']} is better than {row['b']}: {size}."
    if row["outcome"] == SAME:
        return f"- {row['a']} and {row['b']} are the same within {record.design.margin:g}: {size}."
    return f"- {row['a']} and {row['b']}: undecided: {size}."


def _without(pairs: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.a} - {row.b} {row.difference_without_lost:+.3g} ({row.seeds_without_lost} seeds)"
        for row in pairs.head(MOST_LINES).itertuples()
    )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
