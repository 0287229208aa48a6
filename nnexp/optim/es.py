"""Evolution strategy: the mean moves to the best offspring, and the step size adapts to the path of the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import ConfigError, Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod, normal_length, usual_population

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """Mean and path ``(P,)`` in float64, normal vectors ``(lambda, P)`` of the generation."""

    draws: Draws
    mean: Array
    sigma: float
    path: Array
    z: Array


@dataclass(frozen=True)
class EvolutionStrategy(GenerationalMethod):
    """(mu/mu, lambda)-ES with cumulative step-size adaptation (Ostermeier, Gawelczyk and Hansen, 1994).

    As in Hansen, Arnold and Auger (2015), algorithm 4, with one step size for all parameters. A generation is
    ``theta_k = mean + sigma * z_k``, z_k from N(0, I), for k = 1 to lambda. When all losses are known, with z the mean
    of the mu best z_k::

        path  = (1 - c) * path + sqrt(c (2 - c) mu) * z         c = sqrt(mu / (P + mu))
        mean  = mean + sigma * z
        sigma = sigma * exp((c / d) * (|path| / E|N(0, I)| - 1))     d = 1 + sqrt(mu / P)

    Parents do not compete with offspring (the comma), so the mean may get worse; the answer is the best candidate so
    far. An iteration is one candidate. An incomplete generation at the budget's end changes no distribution.
    """

    option: ClassVar[str] = "es"

    scale: float = setting(
        0.1,
        "initial step size, a standard deviation",
        Range(0, above=True, log=True, search=(0.001, 1)),
        per_run=True,
    )
    population: int | None = setting(
        None, "candidates of a generation, lambda; null: 4 + floor(3 ln P) for P parameters", Range(2)
    )
    parents: int | None = setting(
        None, "best candidates whose mean is the next mean, mu; null: a quarter of the population", Range(1)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population and self.parents and self.parents > self.population:
            raise ConfigError(
                f"{self.name}.parents={self.parents}: expected at most population, {self.population}"
            )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        return _Memory(draws, theta.astype(np.float64), self.scale, np.zeros(theta.size), np.empty(0))

    def draw(self, memory: _Memory) -> _Memory:
        normals, count = memory.draws.normals, self.population or usual_population(memory.mean.size)
        z = normals.peek(count).copy()
        normals.advance(count)
        return memory._replace(z=z)

    def candidates(self, memory: _Memory) -> Array:
        return memory.mean + memory.sigma * memory.z

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        draws, mean, sigma, path, z = memory
        size, mu = mean.size, self.parents or max(1, len(z) // 4)
        c, d = np.sqrt(mu / (size + mu)), 1 + np.sqrt(mu / size)
        step = z[np.argsort(loss, kind="stable")[:mu]].mean(axis=0, dtype=np.float64)
        path = (1 - c) * path + np.sqrt(c * (2 - c) * mu) * step
        growth = np.exp((c / d) * (np.linalg.norm(path) / normal_length(size) - 1))
        return _Memory(draws, mean + sigma * step, float(sigma * growth), path, z)
