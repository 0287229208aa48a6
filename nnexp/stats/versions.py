"""Versions of the same methods compared, paired by seed: two sweeps, two states of the code, or two commits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnexp.losses.measures import spoken
from nnexp.results import budget_axis, measure_of
from nnexp.results.labels import cells
from nnexp.stats.holm import holm
from nnexp.stats.intervals import Estimate
from nnexp.stats.measure import default_measure
from nnexp.stats.pairs import ROUNDING, paired_interval, seed_shares, timings
from nnexp.stats.permutation import sign_flip
from nnexp.stats.power import fewest_seeds
from nnexp.stats.scores import read_scores, timed_together
from nnexp.stats.verdict import cost, count

Array = np.ndarray[Any, Any]

BY = {"sweep": "sweep_id", "code": "code", "git": "git_commit"}
"""The column of runs that identifies a version, by kind."""

LONGEST_HASH = 12
"""The number of characters of a code hash or a commit that are shown."""

BETTER, WORSE, SAME, UNDECIDED = "better", "worse", "the same numbers", "not enough evidence"


class Versions(NamedTuple):
    """Versions compared with the first one.

    Attributes:
        names: of the versions, the first being what the others are compared with.
        answers: one row a version and method: version, method, tasks, seeds, before, after, difference (after -
            before), low, high, p, p_holm, verdict; means over tasks on the seeds that both have.
        speed: the same of seconds a step: ratio (after / before), low, high, p, p_holm, timings, verdict.
        remarks: sentences on what could not be compared or shown.
        text: the verdict in a sentence, each method's in a line, and the remarks.
        runs: what was compared, a run a cell, with ``version``, ``task``, ``variant`` and ``replicate``.
    """

    names: list[str]
    measure: str
    axis: str
    answers: pd.DataFrame
    speed: pd.DataFrame
    remarks: list[str]
    text: str
    runs: pd.DataFrame


def compare_versions(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    by: str = "sweep",
    measure: str | None = None,
    axis: str | None = None,
    confidence: float = 0.95,
) -> Versions:
    """Compare versions of methods, method by method, on the seeds and tasks that they share, at equal cost.

    Each version's methods and tasks are named by what varies within it, so that a setting in which two versions
    differ pairs them and does not part them. Holm's families are all rows of answers, and all of speed. Methods come in
    the order of the first version's answers, the best first.

    Args:
        runs: of all versions, the first one's first.
        by: what a version is: ``sweep``, ``code`` or ``git``.

    Raises:
        ValueError: fewer than two versions, or nothing in common.
    """
    if by not in BY:
        raise ValueError(f"by={by}: expected one of {', '.join(BY)}")
    known = runs[runs[BY[by]].notna()]
    known = known.assign(version=known[BY[by]].astype(str))
    if by != "sweep":
        known["version"] = known["version"].str[:LONGEST_HASH]
    names = list(dict.fromkeys(known["version"]))
    if len(names) < 2:
        found = f"{names[0]} alone" if names else "none"
        raise ValueError(f"by={by}: expected runs of two or more versions, there is {found}")
    measure = measure or default_measure(known)
    axis = axis or budget_axis(known, history)
    table = pd.concat([cells(known[known["version"] == name]) for name in names], ignore_index=True)
    unpaired = _unpaired(table, names)
    common = table.groupby(["task", "variant"])["version"].transform("nunique") == len(names)
    if not common.any():
        raise ValueError(
            f"by={by}: expected methods and tasks in common, there are none ({'; '.join(unpaired)})"
        )
    table = table[common].reset_index(drop=True)
    # Each version of a method is treated as a method where values are read at equal cost.
    read = read_scores(
        table.assign(variant=table["variant"] + "\n" + table["version"]), history, measure, axis
    )
    steps = history.groupby("run_id")["iteration"].max()
    alpha = 1 - confidence
    answers, speed = [], []
    ends = read.table.groupby("method", sort=False)["value"].mean()
    ordered = ends.sort_values(ascending=not read.higher, na_position="last").index
    for method in [name.removesuffix(f"\n{names[0]}") for name in ordered if name.endswith(f"\n{names[0]}")]:
        for name in names[1:]:
            at = [read.methods.index(f"{method}\n{one}") for one in (names[0], name)]
            row = {"version": name, "method": method}
            answers.append(row | _answers(read.values[:, at[0]], read.values[:, at[1]], confidence))
            speed.append(row | _speed(table[table["variant"] == method], steps, (names[0], name), confidence))
    lower = not read.higher
    by_answers, by_speed = (
        _corrected(pd.DataFrame(answers), alpha, lower),
        _corrected(pd.DataFrame(speed), alpha, True),
    )
    what = spoken(measure_of(known, measure))
    remarks = _remarks(by_speed, unpaired, alpha)
    lines = _lines(names, by, what, cost(read.at, axis), by_answers, by_speed, confidence)
    text = "\n".join([*lines, *remarks])
    return Versions(names, measure, axis, by_answers, by_speed, remarks, text, table)


def _answers(before: Array, after: Array, confidence: float) -> dict[str, Any]:
    """Mean values ``(T, S)`` over tasks on common seeds, and their difference."""
    paired = ~np.isnan(before - after)
    used = paired.any(0)
    first, second = (seed_shares(np.where(paired, values, np.nan)).sum() for values in (before, after))
    return {
        "tasks": int(paired.any(1).sum()),
        "seeds": int(used.sum()),
        "before": first if used.any() else np.nan,
        "after": second if used.any() else np.nan,
    } | _tested(seed_shares(after - before)[used], confidence)


def _speed(rows: pd.DataFrame, steps: pd.Series, names: tuple[str, str], confidence: float) -> dict[str, Any]:
    """The ratio of seconds a step, after to before, each independent timing being one observation."""
    done = rows["run_id"].map(steps)
    ended = rows[(rows["status"] == "finished") & (done > 0) & (rows["seconds"] > 0)]
    pace = np.log(ended["seconds"].to_numpy(float) / done[ended.index].to_numpy(float))
    timed = ended.assign(pace=pace, clock=timed_together(ended, ended["seconds"]))
    wide = [
        timed[timed["version"] == name].set_index(["task", "replicate"])[["pace", "clock"]] for name in names
    ]
    both = wide[0].add_suffix("_a").join(wide[1].add_suffix("_b"), how="inner")
    if both.empty:
        return {
            "ratio": np.nan,
            "low": np.nan,
            "high": np.nan,
            "p": np.nan,
            "timings": 0,
            "difference": np.nan,
        }
    change = (both["pace_b"] - both["pace_a"]).to_numpy(float)[None]
    apart = timings(
        both["clock_a"].to_numpy(int)[None], both["clock_b"].to_numpy(int)[None], change == change
    )
    observed = np.bincount(apart, change[0]) / len(change[0])
    found = _tested(observed, confidence)
    ratio = {name: float(np.exp(found[name])) for name in ("difference", "low", "high")}
    return {
        "ratio": ratio["difference"], "low": ratio["low"], "high": ratio["high"], "p": found["p"],
        "timings": len(observed), "difference": found["difference"],
    }  # fmt: skip


def _tested(shares: Array, confidence: float) -> dict[str, Any]:
    """The sum of the observations' contributions, its interval, and the sign-flip test's p."""
    if not len(shares):
        return dict.fromkeys(("difference", "low", "high", "p"), np.nan)
    found: Estimate = paired_interval(shares * len(shares), confidence)
    return {"difference": found.value, "low": found.low, "high": found.high, "p": float(sign_flip(shares))}


def _corrected(table: pd.DataFrame, alpha: float, lower_is_better: bool) -> pd.DataFrame:
    table = table.assign(p_holm=holm(table["p"].to_numpy(float)))
    worse = (table["difference"] > 0) == lower_is_better
    shown = table["p_holm"] <= alpha + ROUNDING
    same = (table["difference"] == 0) & (table["p"] == 1) & (table["low"] == table["high"])
    return table.assign(verdict=np.select([same, shown & worse, shown], [SAME, WORSE, BETTER], UNDECIDED))


def _unpaired(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Methods and tasks that a version has and another has not."""
    said = []
    for column, word in (("variant", "method"), ("task", "task")):
        for value, rows in table.groupby(column, sort=False):
            missing = [name for name in names if name not in set(rows["version"])]
            if missing:
                said.append(f"{word} {value} is not in {', '.join(missing)}")
    return said


def _remarks(speed: pd.DataFrame, unpaired: list[str], alpha: float) -> list[str]:
    needed = fewest_seeds(alpha / len(speed))
    few = f"Fewer than {needed} timings show no difference in time: hydra.launcher.group=1 times each run."
    lines = [few] if (speed["timings"] < needed).all() else []
    for version, rows in speed.groupby("version", sort=False):
        shown = rows["verdict"].isin([WORSE, BETTER])
        if len(rows) > 1 and shown.all() and rows["low"].max() <= rows["high"].min():
            lines.append(
                f"{version}: a step takes {rows['ratio'].min():.2f} to {rows['ratio'].max():.2f} times as long for all "
                "methods alike; so it does on a machine under another load."
            )
    return lines + ([f"Not compared: {'; '.join(unpaired)}."] if unpaired else [])


def _lines(
    names: list[str], by: str, measure: str, where: str, answers: pd.DataFrame, speed: pd.DataFrame,
    confidence: float,
) -> list[str]:  # fmt: skip
    lines = [_head(answers, speed, measure, where)]
    for version in names[1:]:
        lines.append(f"{version} against {names[0]} (by {by}), {measure} at {where}:")
        for row in answers[answers["version"] == version].itertuples():
            if row.verdict == SAME:
                lines.append(f"- {row.method}: the same numbers on {count(row.seeds, 'common seed')}.")
            elif not row.seeds:
                lines.append(f"- {row.method}: no seed in common.")
            else:
                lines.append(
                    f"- {row.method}: {row.verdict}: {row.before:.4g} before, {row.after:.4g} after, difference "
                    f"{row.difference:+.3g}{_interval(row, confidence)}, p {row.p_holm:.3g} after Holm's correction, "
                    f"{count(row.seeds, 'common seed')}."
                )
        lines.append("Seconds a step:")
        for row in speed[speed["version"] == version].itertuples():
            if row.timings:
                lines.append(
                    f"- {row.method}: {row.verdict}: {row.ratio:.2f} times as long{_interval(row, confidence)}, "
                    f"{count(row.timings, 'independent timing')}."
                )
    return lines


def _head(answers: pd.DataFrame, speed: pd.DataFrame, measure: str, where: str) -> str:
    """A sentence on what got worse, or that nothing is shown to have got worse, and on what got better."""
    slower, faster = (_named(speed[speed["verdict"] == word]) for word in (WORSE, BETTER))
    worse, better = (_named(answers[answers["verdict"] == word]) for word in (WORSE, BETTER))
    parts = []
    if worse:
        parts.append(f"{measure} at {where} got worse for {worse}")
    if slower:
        parts.append(f"a step takes longer for {slower}")
    if parts:
        text = f"Regression: {'; '.join(parts)}."
    elif (answers["verdict"] == SAME).all():
        text = f"No regression: {measure} at {where} is the same to the last digit for all methods."
    else:
        text = f"No regression is shown in {measure} at {where} or in seconds a step."
    text += f" Better: {better}." if better else ""
    return text + (f" Faster: {faster}." if faster else "")


def _named(rows: pd.DataFrame) -> str:
    return ", ".join(f"{row.method} ({row.version})" for row in rows.itertuples())


def _interval(row: Any, confidence: float) -> str:
    if not np.isfinite(row.low):
        return ""
    return f", {confidence:.0%} interval [{row.low:.3g}, {row.high:.3g}]"
