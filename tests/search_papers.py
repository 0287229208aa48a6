"""Gradient-free methods as their papers write them, each beside our own: pairs of what should be equal."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from typing import Any

import numpy as np
from search_states import SIZE, START, last, plain_chance, rosenbrock

from nnexp.optim import (
    CMAES,
    SGD,
    SPSA,
    Annealing,
    CoordinateSearch,
    DifferentialEvolution,
    EvolutionStrategy,
    OpenAIES,
    RandomPerturbation,
    RandomSearch,
    SeparableCMAES,
)

Array = np.ndarray[Any, Any]
Pairs = list[tuple[Any, Any]]


def random() -> Pairs:
    """The best of independent draws."""
    normal, _ = plain_chance(3)
    theta, value = START, float(rosenbrock(START))
    for _ in range(400):
        candidate = 0.5 * normal.standard_normal(SIZE)
        if (new := float(rosenbrock(candidate))) < value:
            theta, value = candidate, new
    found = last(RandomSearch(0.5), 400)
    assert not np.array_equal(theta, START)
    return [(found.theta, theta), (found.loss, value)]


def perturb(block: int = 64) -> Pairs:
    """Hill climbing: a step is kept where it improves."""
    normal, _ = plain_chance(3)
    theta, value = START, float(rosenbrock(START))
    for _ in range(400):
        candidate = theta + 0.05 * normal.standard_normal(SIZE)
        if (new := float(rosenbrock(candidate))) < value:
            theta, value = candidate, new
    found = last(RandomPerturbation(0.05, block=block), 400)
    return [(found.theta, theta), (found.loss, value)]


def annealing(block: int = 16) -> Pairs:
    """Metropolis' walk at a falling temperature."""
    method = Annealing(scale=0.1, temperature=20.0, cooling=0.98, block=block)
    normal, uniform = plain_chance(3)
    theta, value = START, float(rosenbrock(START))
    best, best_value, uphill, temperature = theta, value, 0, 20.0
    for _ in range(400):
        candidate = theta + 0.1 * normal.standard_normal(SIZE)
        new, u = float(rosenbrock(candidate)), uniform.random()
        if new <= value or u < exp(-(new - value) / temperature):
            uphill += new > value
            theta, value = candidate, new
        if new < best_value:
            best, best_value = candidate, new
        temperature *= 0.98
    found = last(method, 400)
    assert uphill > 20
    return [(found.theta, best), (found.memory.current, theta)]


def one_fifth(block: int = 64) -> Pairs:
    """The scale grows with a success and falls without one, after each step."""
    normal, _ = plain_chance(3)
    theta, value, scale, d = START, float(rosenbrock(START)), 0.5, sqrt(SIZE + 1)
    for _ in range(500):
        candidate = theta + scale * normal.standard_normal(SIZE)
        new = float(rosenbrock(candidate))
        success = new < value
        scale *= exp((success - 0.2) / d)
        if success:
            theta, value = candidate, new
    found = last(RandomPerturbation(0.5, one_fifth=True, block=block), 500)
    assert scale < 0.1
    return [(found.theta, theta)]


def es() -> Pairs:
    """Intermediate recombination with cumulative step-size adaptation."""
    lam, mu, generations = 12, 3, 40
    normal, _ = plain_chance(3)
    mean, sigma, path = START.copy(), 0.3, np.zeros(SIZE)
    c, d = sqrt(mu / (SIZE + mu)), 1 + sqrt(mu / SIZE)
    expected = sqrt(SIZE) * (1 - 1 / (4 * SIZE) + 1 / (21 * SIZE**2))
    best = (float(rosenbrock(START)), START)
    for _ in range(generations):
        offspring = []
        for _ in range(lam):
            z = normal.standard_normal(SIZE)
            x = mean + sigma * z
            offspring.append((float(rosenbrock(x)), z, x))
        offspring.sort(key=lambda one: one[0])
        best = min(best, (offspring[0][0], offspring[0][2]), key=lambda one: one[0])
        z = sum(one[1] for one in offspring[:mu]) / mu
        path = (1 - c) * path + sqrt(c * (2 - c) * mu) * z
        mean = mean + sigma * z
        sigma *= exp(c / d * (np.linalg.norm(path) / expected - 1))
    found = last(EvolutionStrategy(0.3, population=lam, parents=mu), lam * generations)
    assert found.loss == best[0]
    return [(found.memory.memory.mean, mean), (found.memory.memory.sigma, sigma), (found.theta, best[1])]


def sep_cma_es() -> Pairs:
    """Ros and Hansen's diagonal matrix."""
    lam, generations, n = 10, 60, SIZE
    normal, _ = plain_chance(3)
    mu = lam // 2
    w = np.array([np.log(mu + 1) - np.log(i) for i in range(1, mu + 1)])
    w /= w.sum()
    mueff = 1 / (w**2).sum()
    cs, cc = (mueff + 2) / (n + mueff + 3), 4 / (n + 4)
    ds = 1 + 2 * max(0, sqrt((mueff - 1) / (n + 1)) - 1) + cs
    ccov = 2 / mueff / (n + sqrt(2)) ** 2 + (1 - 1 / mueff) * min(1, (2 * mueff - 1) / ((n + 2) ** 2 + mueff))
    ccov *= (n + 2) / 3
    expected = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    mean, sigma, v, ps, pc = START.copy(), 0.3, np.ones(n), np.zeros(n), np.zeros(n)
    for g in range(generations):
        z = normal.standard_normal((lam, n))
        y = np.sqrt(v) * z
        order = np.argsort(rosenbrock(mean + sigma * y))[:mu]
        zw = sum(w[i] * z[k] for i, k in enumerate(order))
        yw = sum(w[i] * y[k] for i, k in enumerate(order))
        mean = mean + sigma * yw
        ps = (1 - cs) * ps + sqrt(cs * (2 - cs) * mueff) * zw
        length = np.linalg.norm(ps)
        h = length / sqrt(1 - (1 - cs) ** (2 * (g + 1))) < (1.4 + 2 / (n + 1)) * expected
        pc = (1 - cc) * pc + (sqrt(cc * (2 - cc) * mueff) * yw if h else 0)
        rank_mu = sum(w[i] * y[k] ** 2 for i, k in enumerate(order))
        v = (1 - ccov) * v + ccov / mueff * pc**2 + ccov * (1 - 1 / mueff) * rank_mu
        sigma *= exp(cs / ds * (length / expected - 1))
    found = last(SeparableCMAES(0.3, population=lam), lam * generations).memory.memory
    assert v.max() > 1.5 * v.min()
    return [(found.mean, mean), (found.variances, v), (found.sigma, sigma)]


class _Normals:
    """Stands where the package has its own generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def randn(self, size: int) -> Array:
        return self._rng.standard_normal(size)


def cma_es() -> Pairs:
    """The package ``cmaes`` itself, with our draws."""
    from cmaes import CMA

    other = CMA(START, 0.3, population_size=9)
    other._rng = _Normals(plain_chance(3)[0])
    best = (float(rosenbrock(START)), START)
    for _ in range(60):
        asked = [other.ask() for _ in range(9)]
        told = [(x, float(rosenbrock(x))) for x in asked]
        best = min([best, *((value, x) for x, value in told)], key=lambda one: one[0])
        other.tell(told)
    found = last(CMAES(0.3, population=9), 9 * 60)
    own = found.memory.memory.optimizer
    # Products are taken in another order.
    return [(own.mean, other.mean), (own._C, other._C), (found.theta, best[1])]


def openai_es() -> Pairs:
    """A gradient of ranks for a gradient method."""
    pairs, scale, rate = 4, 0.1, 0.02
    normal, _ = plain_chance(3)
    theta, velocity = START.copy(), np.zeros(SIZE)
    for _ in range(50):
        noise = normal.standard_normal((pairs, SIZE))
        losses = [float(rosenbrock(theta + sign * scale * e)) for sign in (1, -1) for e in noise]
        ranks = np.empty(2 * pairs)
        ranks[np.argsort(losses)] = np.arange(2 * pairs) / (2 * pairs - 1) - 0.5
        gradient = sum((ranks[i] - ranks[pairs + i]) * noise[i] for i in range(pairs)) / (2 * pairs * scale)
        velocity = 0.9 * velocity + gradient
        theta = theta - rate * velocity
    method = OpenAIES(rate, scale, 2 * pairs, SGD(momentum=0.9))
    found = last(method, 50 * 2 * pairs)
    assert np.isnan(found.loss)
    return [(found.theta, theta)]


def spsa() -> Pairs:
    """Spall's gain sequences and signs."""
    _, rng = plain_chance(3)
    theta, a, big_a, c = START.copy(), 0.0002, 30.0, 0.05
    for k in range(200):
        signs = np.where(rng.integers(0, 2, SIZE) == 1, 1.0, -1.0)
        ak, ck = a * (big_a + 1) ** 0.602 / (big_a + k + 1) ** 0.602, c / (k + 1) ** 0.101
        difference = float(rosenbrock(theta + ck * signs)) - float(rosenbrock(theta - ck * signs))
        theta = theta - ak * difference / (2 * ck) / signs
    found = last(SPSA(a, c, big_a), 400)
    assert np.isnan(found.loss)
    assert rosenbrock(theta) < rosenbrock(START) / 2
    return [(found.theta, theta)]


def differential_evolution(base: str = "random") -> Pairs:
    """DE/rand/1/bin and DE/best/1/bin."""
    count, weight, crossover = 8, 0.7, 0.6
    normal, rng = plain_chance(3)
    members = [START + 0.3 * normal.standard_normal(SIZE) for _ in range(count)]
    losses = [float(rosenbrock(x)) for x in members]
    for _ in range(40):
        others = rng.permuted(np.tile(np.arange(count - 1), (count, 1)), axis=1)[:, :3]
        uniform, forced = rng.random((count, SIZE)), rng.integers(0, SIZE, count)
        trials = []
        for i in range(count):
            r1, r2, r3 = ([k for k in range(count) if k != i][k] for k in others[i])
            start = members[int(np.argmin(losses))] if base == "best" else members[r1]
            mutant = start + weight * (members[r2] - members[r3])
            taken = [uniform[i, j] < crossover or j == forced[i] for j in range(SIZE)]
            trials.append(np.array([mutant[j] if taken[j] else members[i][j] for j in range(SIZE)]))
        for i, trial in enumerate(trials):
            if (new := float(rosenbrock(trial))) <= losses[i]:
                members[i], losses[i] = trial, new
    method = DifferentialEvolution(0.3, count, weight, crossover, base)  # type: ignore[arg-type]
    found = last(method, 41 * count)
    assert found.loss == min(losses)
    return [(found.memory.memory.members, np.array(members))]


def coordinate() -> Pairs:
    """Rosenbrock's steps, one parameter after another."""
    theta, value, steps = START.copy(), float(rosenbrock(START)), [0.2] * SIZE
    for k in range(400):
        j = k % SIZE
        candidate = theta.copy()
        candidate[j] += steps[j]
        if (new := float(rosenbrock(candidate))) < value:
            theta, value = candidate, new
            steps[j] *= 3
        else:
            steps[j] *= -0.5
    found = last(CoordinateSearch(0.2), 400)
    return [(found.theta, theta), (found.memory.steps, np.array(steps))]


PAPERS: dict[str, Callable[..., Pairs]] = {
    "random": random,
    "perturb": perturb,
    "perturb_one_fifth": one_fifth,
    "annealing": annealing,
    "es": es,
    "sep_cma_es": sep_cma_es,
    "cma_es": cma_es,
    "openai_es": openai_es,
    "spsa": spsa,
    "differential_evolution": differential_evolution,
    "coordinate": coordinate,
}


def difference(pairs: Pairs) -> float:
    """The largest difference of a number, as a share of it where it is above 1."""
    return max(float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)))) for ours, theirs in pairs)
