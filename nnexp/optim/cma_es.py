"""CMA-ES with a full covariance matrix, by the package cmaes (Hansen and Ostermeier, 2001)."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nnexp.config.settings import ConfigError, Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod

Array = np.ndarray[Any, Any]

LARGEST = 1e32
"""The package accepts no larger number."""


class _Memory(NamedTuple):
    """The package's optimizer, which has the distribution, and the generation before rounding ``(K, P)``."""

    draws: Draws
    optimizer: Any
    exact: Array


@dataclass(frozen=True)
class CMAES(GenerationalMethod):
    """CMA-ES: the mean, the step size and the covariance matrix of all parameters follow the best candidates.

    A generation is ``theta_k = mean + sigma * B D z_k``, z_k from N(0, I), with ``C = B D^2 B^T``. The
    distribution is updated by the package cmaes (Nomura and Shibata, 2024), which follows Hansen's tutorial (arXiv
    1604.00772) in float64. Memory is O(P^2), time O(P^3) a generation.

    The package draws no numbers: normal vectors come from the run's own stream. The answer is the best candidate
    so far. An iteration is one candidate. An incomplete generation at the budget's end changes no distribution,
    nor does a generation with a parameter beyond 1e32.
    """

    option: ClassVar[str] = "cma_es"

    scale: float = setting(
        0.05,
        "initial step size, a standard deviation",
        Range(0, above=True, log=True, search=(0.001, 1)),
        per_run=True,
    )
    population: int | None = setting(
        None, "candidates of a generation, lambda; null: 4 + floor(3 ln P) for P parameters", Range(5)
    )

    def thetas(self, size: int, iterations: int) -> int:
        # The covariance matrix has P rows.
        return max(size, self.population or 0)

    def check(self) -> None:
        if importlib.util.find_spec("cmaes") is None:
            raise ConfigError(
                f"optimizer={self.name}: the package cmaes is not installed; pip install 'nnexp[cmaes]'"
            )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        from cmaes import CMA

        optimizer = CMA(theta.astype(np.float64), self.scale, population_size=self.population)
        return _Memory(draws, optimizer, np.empty(0))

    def draw(self, memory: _Memory) -> _Memory:
        optimizer, normals = memory.optimizer, memory.draws.normals
        z = normals.peek(optimizer.population_size).astype(np.float64)
        normals.advance(len(z))
        # The package's own ask multiplies P x P matrices for each candidate; this is one product for all.
        axes, lengths = optimizer._eigen_decomposition()
        # The package saves one triangle. An exactly symmetric matrix makes a resumed search equal to one without a
        # stop.
        optimizer._C = np.triu(optimizer._C) + np.triu(optimizer._C, 1).T
        return memory._replace(exact=optimizer.mean + optimizer._sigma * ((z * lengths) @ axes.T))

    def candidates(self, memory: _Memory) -> Array:
        return memory.exact

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        if np.abs(memory.exact).max() < LARGEST:
            memory.optimizer.tell(list(zip(memory.exact, loss.tolist(), strict=True)))
        return memory
