"""Gradient-free methods at work on plain functions, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnexp.optim import SearchMethod, State
from nnexp.optim.draws import Draws, draws_from

Array = np.ndarray[Any, Any]

SIZE = 6
START = np.linspace(-1.2, 1.0, SIZE)


def rosenbrock(theta: Array) -> Array:
    x, y = theta[..., :-1], theta[..., 1:]
    return (100 * (y - x**2) ** 2 + (1 - x) ** 2).sum(axis=-1)


def sphere(theta: Array) -> Array:
    return ((theta - 1) ** 2).sum(axis=-1)


def chance(seed: int) -> Draws:
    return draws_from(np.random.default_rng(seed), SIZE, np.float64)


def plain_chance(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Where a run's normal vectors come from, and its other numbers."""
    rng = np.random.default_rng(seed)
    (child,) = rng.bit_generator.seed_seq.spawn(1)
    return rng, np.random.default_rng(child)


def states(
    method: SearchMethod,
    iterations: int,
    loss: Callable[[Array], Array] = rosenbrock,
    seed: int = 3,
    most: Callable[[], int] = lambda: 1000,
) -> Iterator[State]:
    """The state at the start, and after each tell."""
    with np.errstate(all="ignore"):
        state = method.init(START, float(loss(START)), chance(seed))
        yield state
        while state.iteration < iterations:
            asked = method.ask(state, min(most(), iterations - state.iteration))
            state = method.tell(state, asked, loss(asked))
            yield state


def last(*arguments: Any, **options: Any) -> State:
    *_, state = states(*arguments, **options)
    return state
