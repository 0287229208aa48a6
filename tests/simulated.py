"""Made-up answers of methods, of which it is known whether they differ: what calibration is measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from nnexp.stats.aggregates import Aggregates, aggregate, aggregates
from nnexp.stats.holm import holm
from nnexp.stats.intervals import Estimate, median, unknown
from nnexp.stats.means import mean_of_means, median_of_means
from nnexp.stats.pairs import paired_interval
from nnexp.stats.permutation import sign_flip
from nnexp.stats.power import fewest_seeds

Array = np.ndarray[Any, Any]


def normal(rng: np.random.Generator, size: Any) -> Array:
    """Answers that spread evenly."""
    return rng.normal(0, 1, size)


def skewed(rng: np.random.Generator, size: Any) -> Array:
    """Losses with a long tail: log-normal, skewness 1.75."""
    return rng.lognormal(0, 0.5, size)


def stuck(rng: np.random.Generator, size: Any) -> Array:
    """Losses of which three in ten are stuck at a plateau."""
    return np.where(rng.uniform(size=size) < 0.3, 1.0, 0.0) + rng.normal(0, 0.1, size)


def heavy(rng: np.random.Generator, size: Any) -> Array:
    """Answers with outliers on both sides: Student's t with 3 degrees of freedom."""
    return rng.standard_t(3, size)


def counted(rng: np.random.Generator, size: Any) -> Array:
    """Accuracies on 100 test samples, with ties."""
    return rng.binomial(100, 0.8, size) / 100


KINDS: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "normal": normal,
    "skewed": skewed,
    "stuck": stuck,
    "heavy tails": heavy,
    "counted": counted,
}

OTHERS: dict[str, Callable[[np.random.Generator, Any], Array]] = {
    "uniform": lambda rng, size: rng.uniform(size=size),
    "Laplace": lambda rng, size: rng.laplace(0, 1, size),
    "beta 5, 2": lambda rng, size: rng.beta(5, 2, size),
    "beta 1/2, 1/2": lambda rng, size: rng.beta(0.5, 0.5, size),
    "log-normal 1/4": lambda rng, size: rng.lognormal(0, 0.25, size),
    "log-normal 3/4": lambda rng, size: rng.lognormal(0, 0.75, size),
    "exponential": lambda rng, size: rng.exponential(1, size),
    "stuck 15 %": lambda rng, size: (rng.uniform(size=size) < 0.15) + rng.normal(0, 0.1, size),
    "stuck 50 %": lambda rng, size: (rng.uniform(size=size) < 0.5) + rng.normal(0, 0.1, size),
    "counted of 20": lambda rng, size: rng.binomial(20, 0.9, size) / 20,
}
"""Answers that no method was chosen by."""

DRAWS = KINDS | OTHERS


def alike(kind: str, rng: np.random.Generator, size: tuple[int, int, int, int]) -> Array:
    """Answers ``(N, T, M, S)`` of N comparisons of M methods that are alike.

    A seed's data make all methods better or worse together, and a task is harder than another.
    """
    comparisons, tasks, _, seeds = size
    draw = DRAWS[kind]
    shared = draw(rng, (comparisons, tasks, 1, seeds)) + np.arange(tasks)[:, None, None]
    return np.asarray(draw(rng, size) + shared)


def alarms(answers: Array, alpha: float = 0.05) -> Array:
    """Whether each comparison ``(N, T, M, S)`` claims a difference of any two methods, over its tasks."""
    one, two = np.triu_indices(answers.shape[2], 1)
    by_seed = answers.mean(1)
    return np.asarray((holm(sign_flip(by_seed[:, one] - by_seed[:, two])) <= alpha).any(-1))


def rejections(effect: float, seeds: int, comparisons: int, alpha: float, rng: np.random.Generator) -> float:
    """The share of comparisons that see a planted mean difference, given in its standard deviations."""
    return float(np.mean(sign_flip(rng.normal(effect, 1, (comparisons, seeds))) <= alpha))


def answers(kind: str, tasks: int, seeds: int, repeats: int, rng: np.random.Generator) -> Array:
    """Answers ``(T, N, S)`` of one method on tasks of which one is harder than another."""
    return np.asarray(DRAWS[kind](rng, (tasks, repeats, seeds)) + 0.3 * np.arange(tasks)[:, None, None])


@cache
def true_values(kind: str, tasks: int) -> Aggregates:
    """Mean, median and IQM of ever so many answers."""
    drawn = answers(kind, tasks, 1, 3_000_000 // tasks, np.random.default_rng(99))[..., 0]
    return aggregates(list(drawn))


def coverage(
    kind: str,
    tasks: int,
    seeds: int,
    repeats: int,
    resamples: int,
    rng: np.random.Generator,
    method: Callable[..., Aggregates] = aggregate,
) -> Aggregates:
    """The share of the intervals of a method's mean, median and IQM that hold the true value."""
    truth = true_values(kind, tasks)
    hits = np.zeros(3)
    most = max(1, 4_000_000 // (resamples * tasks * seeds))
    for begin in range(0, repeats, most):
        count = min(most, repeats - begin)
        found = method(list(answers(kind, tasks, seeds, count, rng)), 0.95, resamples, rng)
        hits += [held(estimate, true).sum() for estimate, true in zip(found, truth, strict=True)]
    return Aggregates(*(hits / repeats).tolist())


def means_only(
    strata: Sequence[Array], confidence: float, resamples: int, rng: np.random.Generator
) -> Aggregates:
    """:func:`aggregate` without the IQM, which takes long."""
    middle = median(strata[0]) if len(strata) == 1 else median_of_means(strata, confidence, resamples, rng)
    return Aggregates(mean_of_means(strata, confidence), middle, unknown(np.nan))


def difference_coverage(kind: str, tasks: int, seeds: int, repeats: int, rng: np.random.Generator) -> float:
    """The share of the intervals of a paired difference of methods that are alike which hold 0; NaN without any."""
    a, b = alike(kind, rng, (repeats, tasks, 2, seeds)).swapaxes(0, 2)
    if seeds < fewest_seeds(0.05):
        return np.nan
    return float(np.mean([held(paired_interval(row), 0.0) for row in (a - b).mean(0)]))


def median_coverage(
    places: Sequence[float], seeds: int, repeats: int, draws: int, rng: np.random.Generator
) -> float:
    """That of the median over tasks whose normal answers are ``places`` standard errors away from 0."""
    shift = np.reshape(places, (-1, 1, 1)) / np.sqrt(seeds)
    drawn = rng.normal(size=(len(places), repeats, seeds)) + shift
    found = median_of_means(list(drawn), 0.95, draws, rng)
    return float(held(found, float(np.median(places)) / np.sqrt(seeds)).mean())


def held(estimate: Estimate, true: float) -> Array:
    """Whether intervals hold the true value."""
    return np.asarray((estimate.low <= true + 1e-12) & (true - 1e-12 <= estimate.high))
