"""Ablation: what each factor of a base config does, one at a time, on average, and together with another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnexp.losses.measures import spoken_name
from nnexp.results import budget_axis
from nnexp.results.labels import cells, shown
from nnexp.stats.holm import holm
from nnexp.stats.measure import default_measure
from nnexp.stats.pairs import paired_interval, seed_shares
from nnexp.stats.permutation import sign_flip
from nnexp.stats.scores import read_scores
from nnexp.stats.verdict import UNITS

Array = np.ndarray[Any, Any]

NO_FACTOR = ("tracking.", "sweep.", "seeds.", "budget.", "dataset.")
"""Settings that are where, how long and on what a config is trained."""

Levels = tuple[str, ...]


class Ablation(NamedTuple):
    """Effects about a base.

    Attributes:
        base: the level of each factor in the sweep's first job.
        table: one row an effect: factor, level, kind, effect, low, high, p, p_holm, seeds. Kinds: ``alone``, the
            level in place of the base's; ``average``, the same over all levels of the other factors that have both;
            ``together``, by how much two levels do more than the sum of each alone. In the measure's own units, over
            the tasks; Holm's family is the whole table.
    """

    base: dict[str, str]
    measure: str
    axis: str
    table: pd.DataFrame


def ablation(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    factors: Sequence[str] | None = None,
    measure: str | None = None,
    axis: str | None = None,
    confidence: float = 0.95,
) -> Ablation:
    """The effects of the settings in which runs differ, paired by seed, at equal cost.

    Args:
        runs: of one sweep, as :func:`nnexp.results.load_runs` gives; its first run is the base.
        factors: columns; None for those that vary and are not about data, budget or chance.

    Raises:
        ValueError: no such column, or nothing varies.
    """
    factors = _varied(runs) if factors is None else [*factors]
    for name in factors:
        if name not in runs:
            raise ValueError(f"{name}: expected a column of the runs, such as optimizer.momentum")
    if not factors:
        raise ValueError("factors: expected settings that vary, there are none")
    measure, axis = measure or default_measure(runs), axis or budget_axis(runs, history)
    levels = runs[factors].map(shown)
    combined = levels.agg("\n".join, axis=1)
    found = cells(runs.assign(combination=combined), ["dataset.name"], "combination")
    read = read_scores(found, history, measure, axis)
    base = tuple(levels.iloc[0])
    values = {tuple(name.split("\n")): read.values[:, at] for at, name in enumerate(read.methods)}
    rows = [*_single(values, base, factors, confidence), *_together(values, base, factors, confidence)]
    if not rows:
        raise ValueError("factors: expected runs that differ from the first in one setting, there are none")
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy(float))
    return Ablation(dict(zip(factors, base, strict=True)), measure, axis, table)


def _varied(runs: pd.DataFrame) -> list[str]:
    """The settings that vary, of a part's class and name the latter alone."""
    return [
        name
        for name in runs
        if "." in name
        and not name.startswith(NO_FACTOR)
        and not name.endswith("._target_")
        and runs[name].map(shown).nunique() > 1
    ]


def _single(
    values: dict[Levels, Array], base: Levels, factors: Sequence[str], confidence: float
) -> list[dict[str, Any]]:
    rows = []
    for at, factor in enumerate(factors):
        for level in dict.fromkeys(combination[at] for combination in values):
            if level == base[at]:
                continue
            changed = _with(base, {at: level})
            others = [
                (values[_with(one, {at: level})], values[one])
                for one in values
                if one[at] == base[at] and _with(one, {at: level}) in values
            ]
            if changed in values and base in values:
                rows.append(_effect(factor, level, "alone", values[changed] - values[base], confidence))
            if len(others) > 1:
                average = np.mean([after - before for after, before in others], axis=0)
                rows.append(_effect(factor, level, "average", average, confidence))
    return rows


def _together(
    values: dict[Levels, Array], base: Levels, factors: Sequence[str], confidence: float
) -> list[dict[str, Any]]:
    rows = []
    for one, other in combinations(range(len(factors)), 2):
        pairs = dict.fromkeys((combination[one], combination[other]) for combination in values)
        for a, b in pairs:
            if a == base[one] or b == base[other]:
                continue
            needed = [_with(base, {one: a, other: b}), base, _with(base, {one: a}), _with(base, {other: b})]
            if all(combination in values for combination in needed):
                both, neither, first, second = (values[combination] for combination in needed)
                names = f"{factors[one]} x {factors[other]}"
                rows.append(
                    _effect(names, f"{a} x {b}", "together", both + neither - first - second, confidence)
                )
    return rows


def _effect(factor: str, level: str, kind: str, differences: Array, confidence: float) -> dict[str, Any]:
    """An effect from its differences ``(T, S)``: a seed with all its tasks is one observation."""
    used = ~np.isnan(differences).all(0)
    shares = seed_shares(differences)[used]
    row = {"factor": factor, "level": level, "kind": kind, "seeds": len(shares)}
    if not len(shares):
        return row | dict.fromkeys(("effect", "low", "high", "p"), np.nan)
    found = paired_interval(shares * len(shares), confidence)
    return row | {"effect": found.value, "low": found.low, "high": found.high, "p": float(sign_flip(shares))}


def _with(levels: Levels, changed: dict[int, str]) -> Levels:
    return tuple(changed.get(at, level) for at, level in enumerate(levels))


def text(found: Ablation, confidence: float = 0.95) -> str:
    """The table in Markdown, with what the base is and what lower or higher means."""
    base = ", ".join(f"{name}={level}" for name, level in found.base.items())
    lines = [
        f"Effects on {spoken_name(found.measure)} at equal {UNITS[found.axis]}, paired by seed, in place of the base "
        f"({base}):",
        "",
        f"| factor | level | kind | effect | {confidence:.0%} interval | p (Holm) | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in found.table.itertuples():
        interval = "–" if np.isnan(row.low) else f"[{row.low:.3g}, {row.high:.3g}]"
        told = (
            row.factor,
            row.level,
            row.kind,
            f"{row.effect:+.3g}",
            interval,
            f"{row.p_holm:.3g}",
            row.seeds,
        )
        lines.append(f"| {' | '.join(map(str, told))} |")
    return "\n".join(lines) + "\n"
