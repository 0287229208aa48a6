"""A method at work on a problem, without settings around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nnexp.optim import Method, SearchMethod
from nnexp.optim.draws import draws_from
from nnexp.training.budget import Budget
from nnexp.training.descent import Descent
from nnexp.training.problem import Problem
from nnexp.training.rows import Step
from nnexp.training.search import Search

Array = np.ndarray[Any, Any]
Generators = Sequence[np.random.Generator]


def computation(
    problem: Problem,
    method: Any,
    starts: Array,
    *,
    budget: Budget,
    chance: Generators = (),
    batches: Generators = (),
    log_every: int | None = None,
) -> Descent | Search:
    """Gradient runs from ``starts (R, P)``, or one search, with a generator a run for methods and for batches."""
    assert isinstance(method, Method)
    if isinstance(method, SearchMethod):
        (start,), (rng,) = starts, chance
        draws = draws_from(rng, problem.network.layout.size, problem.network.dtype)
        return Search(problem, method, start, draws=draws, budget=budget, log_every=log_every)
    return Descent(
        problem,
        method,
        starts,
        iterations=np.full(len(starts), budget.updates(method.evaluations)),
        batches=batches,
        draws=chance,
        log_every=log_every,
        most_seconds=budget.seconds,
    )


def blocks(one: Descent | Search) -> Iterator[list[tuple[int, Step]]]:
    """Rows, each with its run, as they come."""
    while (block := one.advance()) is not None:
        yield [(run, step) for run, rows in block for step in rows.steps()]


def trained(one: Descent | Search) -> list[tuple[int, Step]]:
    """All rows to the end, each with its run."""
    return [row for block in blocks(one) for row in block]
