"""Made-up studies of methods, of which it is known which differ: what sequential designs are measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnexp.stats.holm import holm
from nnexp.stats.permutation import sign_flip
from nnexp.stats.sequential import DIFFERENT, SAME, Plan, decide, pair_differences

Array = np.ndarray[Any, Any]
Draw = Callable[[np.random.Generator, Any], Array]

ONE = np.sqrt(0.5)
"""Spread of a method's normal answers: then the difference of two has a standard deviation of 1."""


def lognormal(rng: np.random.Generator, size: Any) -> Array:
    """Answers of one skewed shape, with the spread of the normal ones."""
    return (rng.lognormal(0, 1, size) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e) * ONE


def counted(rng: np.random.Generator, size: Any) -> Array:
    """Errors on 20 samples, with ties."""
    return rng.binomial(20, 0.3, size) / 20 / np.sqrt(2 * 0.3 * 0.7 / 20)


def stuck(rng: np.random.Generator, size: Any) -> Array:
    """Of each method's runs one in five is stuck far off, each on its own."""
    return np.where(rng.uniform(size=size) < 0.2, 5.0, rng.normal(0, ONE, size))


def unlike(rng: np.random.Generator, size: Any) -> Array:
    """Equal means, and a first method of another, skewed shape: differences are not symmetric."""
    made = rng.normal(0, 0.22, size)
    made[0] = lognormal(rng, size[1:]) / ONE
    return made


NULLS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(0, ONE, size),
    "skewed": lognormal,
    "heavy tails": lambda rng, size: rng.standard_t(2, size) * ONE,
    "tied": counted,
    "stuck": stuck,
}
"""Differences of equal methods are symmetric."""

KINDS = NULLS | {"unlike shapes": unlike}


class Study(NamedTuple):
    """What one comparison came to: whether something false was claimed, all that is true, and mean seeds by method."""

    false: bool
    whole: bool
    seeds: float


def scores(kind: str, effects: Sequence[float], seeds: int, rng: np.random.Generator) -> Array:
    """Scores ``(M, seeds)``; a method is better by its effect."""
    return KINDS[kind](rng, (len(effects), seeds)) - np.asarray(effects)[:, None]


def sequential(plan: Plan, made: Array, effects: Sequence[float]) -> Study:
    """The study by the design that sweeps use."""
    found = decide(plan, made).pairs
    better = [pair.outcome == DIFFERENT and (-1 if pair.difference < 0 else 1) for pair in found]
    seeds = [max(pair.seeds for pair in found if m in (pair.one, pair.two)) for m in range(plan.methods)]
    same = [pair.outcome == SAME for pair in found]
    return _study(plan, np.array(better, int), np.array(same), effects, float(np.mean(seeds)))


def fixed(plan: Plan, made: Array, effects: Sequence[float], seeds: int) -> Study:
    """The study with so many seeds from the first, by the paired test with Holm's correction."""
    differences = pair_differences(made[:, :seeds])
    claimed = holm(sign_flip(differences)) <= plan.alpha
    better = np.where(claimed, np.sign(differences.mean(-1)), 0).astype(int)
    return _study(plan, better, np.zeros(len(better), bool), effects, seeds)


def _study(plan: Plan, better: Array, same: Array, effects: Sequence[float], seeds: float) -> Study:
    true = np.array([np.sign(effects[two] - effects[one]) for one, two in plan.pairs])
    apart = np.array([abs(effects[two] - effects[one]) for one, two in plan.pairs])
    false = bool(((better != 0) & (better != true)).any())
    if plan.margin is not None:
        false = false or bool((same & (apart >= plan.margin)).any())
    return Study(false, bool((better == true)[true != 0].all()), seeds)
