"""Made-up answers of methods, of which it is known whether they differ: what calibration is measured on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnexp.stats.aggregates import aggregate, iqm
from nnexp.stats.pairs import paired_interval
from nnexp.stats.permutation import holm, sign_flip

Array = np.ndarray[Any, Any]


class Coverage(NamedTuple):
    """The share of intervals that hold the true value, by what is estimated."""

    mean: float
    median: float
    iqm: float
    difference: float


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


def alike(kind: str, rng: np.random.Generator, size: tuple[int, int, int, int]) -> Array:
    """Answers ``(N, T, M, S)`` of N comparisons of M methods that are alike.

    A seed's data make all methods better or worse together, and a task is harder than another.
    """
    comparisons, tasks, _, seeds = size
    draw = KINDS[kind]
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


def true_values(kind: str, tasks: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean, median and IQM of ever so many answers."""
    answers = KINDS[kind](rng, (tasks, 2_000_000 // tasks)) + 0.3 * np.arange(tasks)[:, None]
    middle = np.median(answers) if tasks == 1 else np.median(answers.mean(1))
    return float(answers.mean()), float(middle), float(iqm(answers.ravel()))


def coverage(
    kind: str, tasks: int, seeds: int, repeats: int, resamples: int, rng: np.random.Generator
) -> Coverage:
    """How often the intervals of a method's answers, and of a paired difference of 0, hold the truth."""
    truth = true_values(kind, tasks, rng)
    hits = np.zeros(4)
    for _ in range(repeats):
        a, b = alike(kind, rng, (1, tasks, 2, seeds))[0].swapaxes(0, 1)
        answers = KINDS[kind](rng, (tasks, seeds)) + 0.3 * np.arange(tasks)[:, None]
        found = aggregate(list(answers), 0.95, resamples, rng)
        difference = paired_interval((a - b).mean(0))
        for at, (true, estimate) in enumerate(zip((*truth, 0.0), (*found, difference), strict=True)):
            hits[at] += estimate.low <= true + 1e-12 and true - 1e-12 <= estimate.high
    return Coverage(*(hits / repeats).tolist())
