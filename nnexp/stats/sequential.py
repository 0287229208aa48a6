"""Sequential comparison of methods on common seeds: a sign-flip test of each pair over the whole path of its looks.

Under the hypothesis that a pair's difference on a seed is as likely to be +d as -d, the sums of its differences with
all signs drawn anew are as likely as the observed ones, at all looks together. A level ``a`` is spent as a g(t), with
g(t) = t^2 (Kim and DeMets 1987) and t = n / N the share of the most seeds: at the look at n seeds the paths with the
largest sums leave until a g(n / N) B of the B paths have left, those that left at earlier looks among them. The
observed path is one of the B, so it leaves by the last look with a chance of at most a. Looking at ten seeds and every
five after, it is called then; stopping earlier than N for whatever reason does not raise that chance.

Over the M pairs Holm's step-down is used, with levels that are nested: a pair is significant with j open pairs once it
has left at each of the levels alpha, alpha / 2, ..., alpha / j. So no pair without a difference is claimed, at any
look, with a chance of at least 1 - alpha, whatever the dependence between pairs. Claims of "same within a margin" are a
family of their own, at the same level.

A mean of 0 alone is not enough: where a pair's differences are skewed, equal means are called different in 6 to 17 %
of comparisons, by fixed designs too (``tests/benchmarks/sequential.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import floor
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]

ALPHA = 0.05
FIRST, EVERY = 10, 5
"""Seeds at the first look, and from one look to the next."""

PATHS = 20_000
"""Number of sign patterns. With other patterns 3 of 60 pairs of six methods were decided one look earlier or later."""

HALVINGS = 20
"""Bisection steps for an interval's end: to a millionth of the differences' range."""

UNDECIDED, DIFFERENT, SAME = "undecided", "different", "same"


class Plan(NamedTuple):
    """The parameters of the test, to be fixed before the first look.

    Attributes:
        methods: how many.
        most: seeds N at which it ends.
        margin: difference within which two methods count as equal; None: equality is never claimed.
        seed: of the signs.
    """

    methods: int
    most: int
    margin: float | None = None
    seed: int = 0
    alpha: float = ALPHA
    first: int = FIRST
    every: int = EVERY
    paths: int = PATHS

    @property
    def looks(self) -> list[int]:
        """Seeds at each look."""
        return [*range(self.first, self.most, self.every), self.most]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of methods, in the order of all arrays."""
        return list(combinations(range(self.methods), 2))

    def allowed(self, levels: Sequence[float]) -> Array:
        """How many paths ``(L, J)`` may have left by each look at each level."""
        share = (np.array(self.looks) / self.most) ** 2
        return np.floor(share[:, None] * np.asarray(levels) * self.paths + 1e-9).astype(int)

    @property
    def can_decide(self) -> bool:
        """Whether the most seeds have enough sign patterns to decide one pair while all others are open."""
        pairs = len(self.pairs)
        level = self.alpha / pairs
        return 2.0 ** (1 - self.most) <= level and floor(level * self.paths + 1e-9) >= 1


class Pair(NamedTuple):
    """The outcome of a pair: decided at a look, or open at the last one."""

    one: int
    two: int
    outcome: str
    seeds: int
    """Seeds of the look at which it was decided, else of the last look."""
    difference: float
    """Mean of one - two over these seeds."""


class Decision(NamedTuple):
    """The state of a comparison after its looks.

    Attributes:
        looks: how many were taken.
        pairs: in the order of :attr:`Plan.pairs`.
        active: methods that have an open pair.
    """

    looks: int
    pairs: list[Pair]
    active: list[bool]

    @property
    def decided(self) -> int:
        """How many pairs are closed."""
        return sum(pair.outcome != UNDECIDED for pair in self.pairs)


def decide(plan: Plan, scores: Array) -> Decision:
    """What follows from scores ``(M, n)`` of n seeds in their order; lower is better, NaN where a method has no run.

    It is computed from the first look on, from whatever scores these looks had: they may not change. Looks happen
    at full rounds alone, so seeds beyond the last full one are not looked at. A pair of which a run is missing has the
    difference 0, and its seed still counts.
    """
    looks = sum(seeds <= scores.shape[1] for seeds in plan.looks)
    differences = pair_differences(scores)
    closed = closed_at(plan, differences)
    pairs = []
    for (one, two), own, (seeds, outcome) in zip(plan.pairs, differences, closed, strict=True):
        pairs.append(Pair(one, two, outcome, seeds, float(own[:seeds].mean()) if seeds else np.nan))
    is_open = [pair for pair in pairs if pair.outcome == UNDECIDED]
    active = [any(m in (pair.one, pair.two) for pair in is_open) for m in range(plan.methods)]
    return Decision(looks, pairs, active)


def pair_differences(scores: Array) -> Array:
    """Differences ``(K, n)`` of each pair on each seed, 0 where one of two is missing."""
    one, two = np.triu_indices(len(scores), 1)
    return np.nan_to_num(scores[one] - scores[two], nan=0.0)


def closed_at(plan: Plan, differences: Array) -> list[tuple[int, str]]:
    """Seeds at which each of the pairs with ``differences (K, n)`` is closed, and how; the last look's for open ones.

    The K pairs are one family, all pairs of the plan's methods or others.
    """
    seeds = [look for look in plan.looks if look <= differences.shape[1]]
    found = [(seeds[-1] if seeds else 0, UNDECIDED)] * len(differences)
    if not seeds:
        return found
    signs = sign_matrix(plan.paths, plan.most, plan.seed)
    slack = 1e-9 * np.abs(differences).sum(-1)
    sums = _sums(differences, seeds, signs)
    families = {DIFFERENT: _significant(plan, np.abs(sums), slack)}
    if plan.margin is not None:
        drift = plan.margin * _sums(np.ones((1, differences.shape[1])), seeds, signs)
        slack = slack + 1e-9 * plan.margin * seeds[-1]
        sides = [_significant(plan, -(side * sums - drift), slack) for side in (1.0, -1.0)]
        families[SAME] = np.maximum(*sides)
    called = dict.fromkeys(families, 0)
    for look, at in enumerate(seeds):
        for outcome, significant in families.items():
            left = [pair for pair, (_, known) in enumerate(found) if known == UNDECIDED]
            for pair in _step(significant, look, left, called[outcome]):
                found[pair] = (at, outcome)
                called[outcome] += 1
    return found


def repeated_interval(plan: Plan, differences: Array, level: float) -> tuple[float, float]:
    """The interval of the centre of ``differences (n,)`` at the look at n seeds, valid over all looks.

    All shifts that the path test at ``level`` does not call by that look's threshold (Jennison and Turnbull 1989),
    found by halving from the mean outwards. It leaves out 0 where the test calls 0 at that look. After an early stop
    it is wide, since t^2 leaves early looks little, and covers more than it must. Infinite where the look has no
    room for any call.
    """
    looks = [seeds for seeds in plan.looks if seeds <= len(differences)]
    allowed = plan.allowed([level])[: len(looks), 0]
    signs = sign_matrix(plan.paths, plan.most, plan.seed)
    sums = _sums(differences[None], looks, signs)[:, 0]
    ones = _sums(np.ones((1, len(differences))), looks, signs)[:, 0]
    slack = 1e-9 * float(np.abs(differences).sum())

    def called(shift: float) -> bool:
        return _beyond(np.abs(sums - shift * ones), allowed, slack)

    middle = float(np.mean(differences))
    span = float(np.ptp(differences)) or abs(middle) or 1.0
    ends = []
    for way in (-1.0, 1.0):
        inside, outside = middle, (middle + way * span)
        if not called(outside):
            ends.append(way * np.inf)
            continue
        for _ in range(HALVINGS):
            between = (inside + outside) / 2
            inside, outside = (inside, between) if called(between) else (between, outside)
        ends.append(outside)
    return ends[0], ends[1]


@lru_cache(maxsize=4)
def sign_matrix(paths: int, most: int, seed: int) -> Array:
    """Signs ``(N, B)`` of all paths, drawn at once so that looks share them; the first, the observed, has +1."""
    signs = 1.0 - 2.0 * np.random.default_rng(seed).integers(0, 2, (paths, most), np.int8)
    signs[0] = 1.0
    return np.ascontiguousarray(signs.T)


def _step(significant: Array, look: int, left: list[int], called: int) -> list[int]:
    """The pairs, of those ``left``, that Holm's step-down closes at a look, ``called`` being those before."""
    closing: list[int] = []
    while left:
        level = len(significant) - called - len(closing) - 1
        now = next((pair for pair in left if significant[pair, level] <= look), None)
        if now is None:
            break
        # Levels are nested, so the order in which pairs are decided does not matter.
        left.remove(now)
        closing.append(now)
    return closing


def _significant(plan: Plan, sums: Array, slack: Array) -> Array:
    """The look ``(K, J)`` from which each pair is significant with j = 1 ... J open pairs; L for none."""
    count = sums.shape[1]
    allowed = plan.allowed([plan.alpha / many for many in range(1, count + 1)])[: len(sums)]
    crossed = np.array([_crossings(sums[:, pair], allowed, slack[pair]) for pair in range(count)])
    return np.maximum.accumulate(crossed, axis=1)


def _crossings(sums: Array, allowed: Array, slack: float) -> Array:
    """The look at which the observed path leaves at each level ``(J,)``, L for none; ``sums (L, B)``, larger is out."""
    looks, levels = allowed.shape
    out = np.full(levels, looks)
    above = (sums > sums[:, :1]).sum(-1)
    # Where as many paths are beyond it as may leave, it does not, whichever left before.
    if (above >= allowed[:, 0]).all():
        return out
    largest = [_largest(own, most + 1) for own, most in zip(sums, allowed[:, 0], strict=True)]
    for level in range(levels):
        for look, gone in enumerate(_leaving(sums, largest, allowed[:, level], slack)):
            if gone[0]:
                out[level] = look
                break
    return out


def _beyond(sums: Array, allowed: Array, slack: float) -> bool:
    """Whether the observed path is beyond the threshold of the last look, whether or not it left before."""
    largest = [_largest(own, most + 1) for own, most in zip(sums, allowed, strict=True)]
    gone = np.zeros(sums.shape[1], bool)
    for now in _leaving(sums[:-1], largest[:-1], allowed[:-1], slack):
        gone = now
    gone[0] = False
    room = allowed[-1] - int(gone.sum())
    if room <= 0:
        return False
    left = largest[-1][~gone[largest[-1]]]
    return bool(len(left) > room and sums[-1, 0] > sums[-1, left[room]] + slack)


def _leaving(sums: Array, largest: Sequence[Array], allowed: Array, slack: float) -> Any:
    """Which paths ``(B,)`` have left by each look; paths with equal sums leave together or stay together."""
    gone = np.zeros(sums.shape[1], bool)
    count = 0
    for own, order, most in zip(sums, largest, allowed, strict=True):
        room = int(most) - count
        if room > 0:
            left = order[~gone[order]]
            leaves = left[:room][own[left[:room]] > own[left[room]] + slack]
            gone[leaves] = True
            count += len(leaves)
        yield gone


def _largest(values: Array, count: int) -> Array:
    """Positions of the ``count`` largest values, the largest first."""
    chosen = np.argpartition(values, len(values) - count)[-count:]
    return np.asarray(chosen[np.argsort(-values[chosen])])


def _sums(differences: Array, looks: Sequence[int], signs: Array) -> Array:
    """Sums ``(L, K, B)`` of ``differences (K, n)`` with all patterns of signs, up to each look."""
    out = np.empty((len(looks), len(differences), signs.shape[1]))
    total, before = np.zeros(out.shape[1:]), 0
    for at, seeds in enumerate(looks):
        total = total + differences[:, before:seeds] @ signs[before:seeds]
        out[at], before = total, seeds
    return out
