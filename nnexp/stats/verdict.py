"""The outcome of a comparison in words: which method, by how much, how sure, at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from nnexp.losses.measures import Measure, spoken
from nnexp.stats.power import fewest_seeds
from nnexp.stats.standing import BETTER, ordered, standing

UNITS = {"iteration": "iterations", "evaluations": "evaluations", "seconds": "seconds", "epochs": "epochs"}

RARE = 0.3
"""The share of runs with an outcome that should not be missed, such as being stuck at a plateau."""

ENOUGH_RUNS = 8
"""From this number of runs on an interval covers the mean of two outcomes, one as likely as ``RARE``, in 93 %."""

MOST_RIVALS = 8
"""The most rivals of the best method that have a line each."""

MOST_NAMES = 5
"""The most names of methods in a sentence; others are counted."""

TESTS = (
    "Tests: p is for the hypothesis that two methods are equal: that on each seed the difference is as likely to have "
    "the other sign. Where the shapes of their answers differ it may be false although means are equal; then p for "
    "equal means is given too."
)

BY_DESIGN = (
    "Verdicts follow the sequential design, separately at each cost, and intervals are valid over all looks; there is "
    "no p, which would need a fixed number of seeds."
)

ALONE = "To time each run separately, train runs one at a time: hydra.launcher.group=1."


def verdict(
    measure: str,
    about: Measure,
    axis: str,
    at: pd.Series,
    confidence: float,
    methods: list[str],
    tasks: list[str],
    scores: pd.DataFrame,
    summary: pd.DataFrame,
    pairs: pd.DataFrame,
    left_out: Mapping[str, str],
) -> str:
    """A few lines; the arguments are those of :class:`nnexp.stats.Comparison`, ``methods`` best first."""
    deciding = pairs[pairs["task"] == pairs["task"].iloc[0]]
    best, beaten, close = standing(methods, deciding)
    timed = " as timed here" if axis == "seconds" else ""
    where = (
        f"by {spoken(about)} at {cost(at, axis)}{timed} ({_tasks(deciding, len(tasks))}, {_seeds(deciding)})"
    )
    last = summary[summary["task"] == summary["task"].iloc[-1]].set_index("method")
    mean = _mean(spoken(about), last.loc[best])
    if not close:
        head = f"{best} is better than {listed(beaten)} {where}: {mean}."
    else:
        first = "has the best" if (last["lost"] == 0).all() else "is ahead on common seeds, with a"
        head = (
            f"Not enough evidence for one best method {where}: {best} {first} {mean}, "
            f"and is not shown to be better than {listed(close)}."
        )
        if beaten:
            head += f" It is better than {listed(beaten)}."
    rivals = methods[1 : 1 + MOST_RIVALS]
    lines = [
        head,
        *(_pair(best, rival, deciding, measure, about, confidence, len(tasks)) for rival in rivals),
    ]
    if len(methods) - 1 > MOST_RIVALS:
        lines.append(
            f"- {len(methods) - 1 - MOST_RIVALS} more methods are behind these; all pairs are in the table."
        )
    few = [_too_few(deciding, confidence), _unseen(tasks, summary)]
    lines += filter(None, [*few, _by_task(tasks, methods, pairs, summary, about)])
    lines += [_spent(summary, axis, methods), *_stopped(scores, summary)]
    if left_out:
        lines.append(f"Tasks without any answer, left out: {'; '.join(left_out.values())}.")
    if axis == "seconds":
        lines.append(_clocks(scores))
    return "\n".join(lines)


def cost(at: pd.Series, axis: str) -> str:
    """The cost at which values are read, as a range where it differs between tasks.

    >>> cost(pd.Series([2000.0, 2000.0]), "iteration")
    '2,000 iterations'
    """
    low, high = float(at.min()), float(at.max())
    shown = _amount(low) if _amount(low) == _amount(high) else f"{_amount(low)} to {_amount(high)}"
    return f"{shown} {UNITS[axis]}"


def _mean(measure: str, row: pd.Series) -> str:
    if math.isnan(row["mean"]):
        return f"unknown mean {measure}, because it has no run on some task"
    if row["n"] == 1:
        return f"{measure} {_number(row['mean'])} (one run)"
    return f"mean {measure} {_number(row['mean'])} {_interval(row['mean_low'], row['mean_high'])}"


def _pair(
    best: str,
    rival: str,
    deciding: pd.DataFrame,
    measure: str,
    about: Measure,
    confidence: float,
    tasks: int,
) -> str:
    found = deciding[
        ((deciding["a"] == best) & (deciding["b"] == rival))
        | ((deciding["a"] == rival) & (deciding["b"] == best))
    ].iloc[0]
    if not found["n_pairs"]:
        return f"- {best} and {rival} have no seed in common."
    turn = 1.0 if found["a"] == best else -1.0
    low, high = sorted((turn * found["low"], turn * found["high"]))
    around = (
        f"no {confidence:.0%} interval from {_observations(found)}"
        if math.isnan(low)
        else f"{confidence:.0%} interval {_interval(low, high)}"
    )
    size = f"{spoken(about)} {_signed(turn * found['difference'])}, {around}"
    if not math.isnan(found["p"]):
        size += f", p {_p(found['p'])}"
    tested = int(deciding["p"].notna().sum())
    if tested > 1:
        size += f"; p {_p(found['p_holm'])} after Holm's correction for {tested} pairs"
    share = found["probability_a_better"] if turn > 0 else 1 - found["probability_a_better"]
    if found["n_pairs"] == 1:
        often = f"{best} is {'ahead' if share > 0.5 else 'level' if share == 0.5 else 'behind'} on the only common run"
    else:
        often = f"{best} is ahead on {share:.0%} of {found['n_pairs']} common runs"
    if found["tasks"] < tasks:
        often += f", of {found['tasks']} of {count(tasks, 'task')}"
    if found["verdict"] == BETTER:
        first, second = found["a"], found["b"]
        return f"- {first} is better than {second}: {size}; {often}.{_shapes(found, about)}"
    return (
        f"- {best} and {rival}: not enough evidence: {size}; {often}.{_needed(found)}{_shapes(found, about)}"
    )


def _shapes(row: pd.Series, about: Measure) -> str:
    """A note where shapes differ, with the p of equal means."""
    if not row["shapes_differ"] or math.isnan(row["p"]):
        return ""
    level = "which holds for any shapes" if about.share else "which is approximate"
    return (
        " The shapes of their answers differ, which affects p; for equal means alone p "
        f"{_p(row['p_mean'])}, {level}."
    )


def _needed(row: pd.Series) -> str:
    seeds = row["seeds_needed"]
    if math.isnan(seeds) or seeds <= row["observations"]:
        return ""
    if math.isinf(seeds):
        return " No number of seeds would show a difference of this size."
    return (
        f" If the difference is as large as found, {seeds:,.0f} {_noun(row)}s would show it "
        f"with 80% power; there are {row['observations']}."
    )


def _noun(row: pd.Series) -> str:
    """The name of one observation: a seed, or an independent timing."""
    return "seed" if row["observations"] == row["seeds"] else "independent timing"


def _observations(row: pd.Series) -> str:
    return count(int(row["observations"]), _noun(row))


def _too_few(deciding: pd.DataFrame, confidence: float) -> str:
    pairs, most = len(deciding), deciding.loc[deciding["observations"].idxmax()]
    needed = fewest_seeds((1 - confidence) / pairs)
    if most["observations"] >= needed:
        return ""
    text = (
        f"{_observations(most)} cannot show any difference among {count(pairs, 'pair')} at "
        f"{1 - confidence:.0%}: {needed} or more are needed."
    )
    return text if most["observations"] == most["seeds"] else f"{text} {ALONE}"


def _unseen(tasks: list[str], summary: pd.DataFrame) -> str:
    """A warning that rare outcomes may be missing, where that is likely."""
    runs = summary.loc[summary["task"].isin(tasks), "n"]
    fewest = int(runs[runs > 1].min()) if (runs > 1).any() else 0
    if not 1 < fewest < ENOUGH_RUNS:
        return ""
    return (
        f"{fewest} runs may miss a kind of outcome: one with a probability of {RARE:.0%} is absent from all of them "
        f"in {(1 - RARE) ** fewest:.0%} of cases, and then intervals cannot reflect it; {ENOUGH_RUNS} or "
        f"more runs are safer."
    )


def _by_task(
    tasks: list[str], methods: list[str], pairs: pd.DataFrame, summary: pd.DataFrame, about: Measure
) -> str:
    """Which method leads on each task, where there are several."""
    if len(tasks) < 2:
        return ""
    parts = []
    for task in tasks:
        own = summary[summary["task"] == task].dropna(subset="mean")
        if len(own) < 2:
            continue
        deciding = pairs[pairs["task"] == task]
        best, _, close = standing(ordered(own, deciding, higher=about.higher), deciding)
        parts.append(f"{task}: {best}" + (f", not shown to be better than {listed(close)}" if close else ""))
    return "By task, the best: " + "; ".join(parts) + "."


def _spent(summary: pd.DataFrame, axis: str, methods: list[str]) -> str:
    """The other costs of the methods at that point."""
    last = summary[summary["task"] == summary["task"].iloc[-1]]
    parts = []
    for row in last.sort_values("method", key=lambda names: names.map(methods.index)).itertuples():
        spent = [
            f"{_amount(float(getattr(row, name)))} {name}"
            for name in ("evaluations", "seconds")
            if name != axis and not math.isnan(float(getattr(row, name)))
        ]
        if spent:
            parts.append(f"{row.method} {' and '.join(spent)}")
    return f"Spent by then (median of runs): {'; '.join(parts)}."


def _clocks(scores: pd.DataFrame) -> str:
    """A note on seconds, and on runs that were timed together, whose seeds do not average the clock's noise."""
    text = (
        "Seconds are those of this machine under its load; a method's own intervals hold for these timings."
    )
    groups = scores.groupby(["method", "task"], sort=False)["clock"].agg(["nunique", "size"])
    shared = groups[groups["nunique"] < groups["size"]].groupby("method", sort=False).sum()
    if shared.empty:
        return text
    shown = ", ".join(f"{row.Index} {row.nunique} for {row.size}" for row in shared.itertuples())
    return f"{text} Runs that were timed together are one measurement of time; timings for runs: {shown}."


def _stopped(scores: pd.DataFrame, summary: pd.DataFrame) -> list[str]:
    lines = []
    diverged = scores[scores["diverged"]].groupby("method", sort=False).size()
    if len(diverged):
        shown = ", ".join(f"{count} of {method}" for method, count in diverged.items())
        lines.append(f"Diverged, and counted as the worst value of their task: {shown}.")
    last = summary[summary["task"] == summary["task"].iloc[-1]]
    lost = last[last["lost"] > 0]
    if len(lost):
        shown = ", ".join(f"{row.lost} of {row.method}" for row in lost.itertuples())
        lines.append(
            f"Failed, killed, unfinished or missing, and left out: {shown}. Methods are compared on the seeds "
            "that each two share; a method's own numbers are of all its runs."
        )
    return lines


def _tasks(deciding: pd.DataFrame, tasks: int) -> str:
    """How many of the tasks each pair of methods has in common."""
    low, high = int(deciding["tasks"].min()), int(deciding["tasks"].max())
    if low == tasks:
        return count(tasks, "task")
    return f"{low if low == high else f'{low} to {high}'} of {count(tasks, 'task')}"


def _seeds(deciding: pd.DataFrame) -> str:
    low, high = int(deciding["seeds"].min()), int(deciding["seeds"].max())
    return count(low, "common seed") if low == high else f"{low} to {high} common seeds"


def count(number: int, noun: str) -> str:
    """A number of things in a sentence.

    >>> count(1, "common seed"), count(2, "common seed")
    ('1 common seed', '2 common seeds')
    """
    return f"{number} {noun}{'s' * (number != 1)}"


def listed(names: list[str], word: str = "and", most: int = MOST_NAMES) -> str:
    """Names in a sentence, those beyond ``most`` as a number.

    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 10**6 else f"{value:.3g}"


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + _number(value)


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _interval(low: float, high: float) -> str:
    return "(one run a task: no interval)" if math.isnan(low) else f"[{_number(low)}, {_number(high)}]"


def _p(value: float) -> str:
    if value < 0.0001:
        return "< 0.0001"
    return f"= {value:.4f}" if value < 0.01 else f"= {value:.3f}"
