"""Differential evolution: members are crossed with differences within the population (Storn and Price, 1997)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.draws import Draws
from nnexp.optim.generational import GenerationalMethod

Array = np.ndarray[Any, Any]


class _Memory(NamedTuple):
    """Members ``(K, P)`` with their losses ``(K,)``, none before the first generation; trials ``(K, P)``."""

    draws: Draws
    theta: Array
    members: Array
    loss: Array
    trials: Array


@dataclass(frozen=True)
class DifferentialEvolution(GenerationalMethod):
    """DE/rand/1/bin or DE/best/1/bin (Storn and Price, 1997).

    The first generation is ``start + scale * N(0, I)``. From then on each member x_i has a trial: with r1, r2 and r3
    distinct members other than i, drawn at random (with ``base=best`` the best member in place of r1)::

        v = x_r1 + weight * (x_r2 - x_r3)
        trial_j = v_j where u_j < crossover or j = j_i, else x_ij       u_j uniform, j_i one parameter at random

    which replaces the member if its loss is no higher. The answer is the best candidate so far.

    An iteration is one candidate. An incomplete generation at the budget's end replaces no member.
    """

    scale: float = setting(
        0.3,
        "standard deviation of the first generation around the initial weights",
        Range(0, above=True, log=True, search=(0.01, 10)),
        per_run=True,
    )
    population: int = setting(10, "members, and candidates of a generation", Range(4))
    weight: float = setting(
        0.9, "factor of the difference of two members", Range(0, 2, above=True), per_run=True
    )
    crossover: float = setting(
        0.9, "probability that a parameter comes from the difference", Range(0, 1), per_run=True
    )
    base: Literal["random", "best"] = setting(
        "best", "what a difference is added to: a random member, or the best"
    )

    def start(self, theta: Array, draws: Draws) -> _Memory:
        none = np.empty((0, theta.size))
        return _Memory(draws, theta, none, np.empty(0), none)

    def draw(self, memory: _Memory) -> _Memory:
        draws, theta, members, loss, _ = memory
        count = self.population
        if not len(members):
            rows = draws.normals.peek(count)
            trials = theta + rows.dtype.type(self.scale) * rows
            draws.normals.advance(count)
            return memory._replace(trials=trials)
        own, rng = np.arange(count), draws.rng
        # Each row is a random order of the other members' numbers, without a gap at its own.
        others = rng.permuted(np.tile(own[:-1], (count, 1)), axis=1)[:, :3]
        first, second, third = (others + (others >= own[:, None])).T
        if self.base == "best":
            first = np.full(count, loss.argmin())
        crossed: Array = np.less(rng.random(members.shape), self.crossover)
        crossed[own, rng.integers(0, members.shape[1], count)] = True
        mutants = members[first] + members.dtype.type(self.weight) * (members[second] - members[third])
        return memory._replace(trials=np.where(crossed, mutants, members))

    def candidates(self, memory: _Memory) -> Array:
        return memory.trials

    def learn(self, memory: _Memory, loss: Array) -> _Memory:
        if not len(memory.members):
            return memory._replace(members=memory.trials, loss=loss)
        better = loss <= memory.loss
        return memory._replace(
            members=np.where(better[:, None], memory.trials, memory.members),
            loss=np.where(better, loss, memory.loss),
        )
