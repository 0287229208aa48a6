"""Separable CMA-ES: an evolution strategy that learns a scale for each parameter (Ros and Hansen, 2008)."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod, normal_length, usual_population

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """Mean, variances and paths ``(P,)`` in float64, normal vectors ``(lambda, P)``, generations learned from."""

    draws: Draws
    mean: Array
    sigma: float
    variances: Array
    sigma_path: Array
    path: Array
    generation: int
    z: Array


class _Constants(NamedTuple):
    """Constants that follow from the numbers of parameters and candidates."""

    weights: Array
    effective: float
    c_sigma: float
    d_sigma: float
    c_path: float
    c_variances: float


def constants(size: int, population: int) -> _Constants:
    """The paper's constants: log weights of the better half, and ``(P + 2) / 3`` times CMA-ES's rate for variances."""
    mu = population // 2
    raw = log(mu + 1) - np.log(np.arange(1, mu + 1))
    weights = raw / raw.sum()
    effective = 1 / float((weights**2).sum())
    c_sigma = (effective + 2) / (size + effective + 3)
    d_sigma = 1 + 2 * max(0.0, sqrt((effective - 1) / (size + 1)) - 1) + c_sigma
    c_full = (1 / effective) * 2 / (size + sqrt(2)) ** 2 + (1 - 1 / effective) * min(
        1, (2 * effective - 1) / ((size + 2) ** 2 + effective)
    )
    return _Constants(weights, effective, c_sigma, d_sigma, 4 / (size + 4), min(1.0, (size + 2) / 3 * c_full))


@dataclass(frozen=True)
class SeparableCMAES(GenerationalMethod):
    """sep-CMA-ES: CMA-ES with a diagonal covariance matrix, O(lambda P) a generation (Ros and Hansen, 2008).

    A generation is ``theta_k = mean + sigma * y_k``, ``y_k = sqrt(v) * z_k``, z_k from N(0, I), for k = 1 to lambda.
    When all losses are known, with ``y = sum_i w_i y_i`` and ``z = sum_i w_i z_i`` over the better half::

        mean       = mean + sigma * y
        sigma_path = (1 - cs) * sigma_path + sqrt(cs (2 - cs) mueff) * z
        h          = |sigma_path| / sqrt(1 - (1 - cs)^(2g)) < (1.4 + 2 / (P+1)) E|N(0, I)|
        path       = (1 - cc) * path + h * sqrt(cc (2 - cc) mueff) * y
        v          = (1 - cv) * v + cv / mueff * path^2 + cv (1 - 1 / mueff) * sum_i w_i y_i^2
        sigma      = sigma * exp((cs / ds) * (|sigma_path| / E|N(0, I)| - 1))

    with g generations so far, including this one, and the constants of :func:`constants`. The answer is the best
    candidate so far. An iteration is one candidate. An incomplete generation at the budget's end changes no
    distribution.
    """

    option: ClassVar[str] = "sep_cma_es"

    scale: float = setting(
        0.05,
        "initial step size, a standard deviation",
        Range(0, above=True, log=True, search=(0.001, 1)),
        per_run=True,
    )
    population: int | None = setting(
        None, "candidates of a generation, lambda; null: 4 + floor(3 ln P) for P parameters", Range(4)
    )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        zeros = np.zeros(theta.size)
        return _Memory(
            draws, theta.astype(np.float64), self.scale, np.ones(theta.size), zeros, zeros, 0, np.empty(0)
        )

    def draw(self, memory: _Memory) -> _Memory:
        normals, count = memory.draws.normals, self.population or usual_population(memory.mean.size)
        z = normals.peek(count).astype(np.float64)
        normals.advance(count)
        return memory._replace(z=z)

    def candidates(self, memory: _Memory) -> Array:
        return memory.mean + memory.sigma * (np.sqrt(memory.variances) * memory.z)

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        draws, mean, sigma, variances, sigma_path, path, generation, z = memory
        size = mean.size
        w, effective, cs, ds, cc, cv = constants(size, len(z))
        best = z[np.argsort(loss, kind="stable")[: len(w)]]
        y, generation = np.sqrt(variances) * best, generation + 1
        sigma_path = (1 - cs) * sigma_path + sqrt(cs * (2 - cs) * effective) * (w @ best)
        ratio = float(np.linalg.norm(sigma_path)) / normal_length(size)
        short = ratio / sqrt(1 - (1 - cs) ** (2 * generation)) < 1.4 + 2 / (size + 1)
        path = (1 - cc) * path + short * sqrt(cc * (2 - cc) * effective) * (w @ y)
        variances = (1 - cv) * variances + cv / effective * path**2 + cv * (1 - 1 / effective) * (w @ y**2)
        mean, sigma = mean + sigma * (w @ y), sigma * float(np.exp((cs / ds) * (ratio - 1)))
        return _Memory(draws, mean, sigma, variances, sigma_path, path, generation, z)
