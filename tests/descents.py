"""Small gradient runs, for tests of methods, rules and schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnexp.calls import run
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import At, GradientMethod
from nnexp.training import Budget, Group, Run, RunSettings, prepare

Array = np.ndarray[Any, Any]
Gradient = Callable[[Array], Array]

UPDATES = 200
"""Rates are such that a start moved by a rounding error moves the end by about as much: large rates are chaotic."""

CLOSE = 1e-9

SMALL = RunSettings(
    architecture=MLP(hidden=[4], activation="tanh", init_scale=0.5),  # type: ignore[arg-type]
    dataset=Spiral(samples=10, test_samples=4),
    budget=Budget(iterations=UPDATES),
    dtype="float64",
)


def trained(settings: list[RunSettings], log_every: int | None = 7) -> list[Run]:
    """The runs, trained as one group."""
    group = Group([prepare(one, log_every) for one in settings])
    for _ in group.train():
        pass
    return group.runs


def gradient_of(one: Run) -> Gradient:
    """The gradient ``(P,)`` of a run's loss on all its data."""

    def gradient(theta: Array) -> Array:
        found = one.prepared.problem.score(theta[None], gradient=True).gradient
        assert found is not None
        return np.array(found[0])

    return gradient


def assert_equal(one: Run, other: Run) -> None:
    for name in set(one.history) - {"seconds"}:
        np.testing.assert_array_equal(one.history[name], other.history[name], name)
    for name in ("final_theta", "best_theta", "best_loss", "status", "iterations", "evaluations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


def bound(method: GradientMethod, runs: int = 1, size: int = 3) -> tuple[At, list[Any]]:
    theta = np.linspace(-1.0, 2.0, runs * size).reshape(runs, size)
    limits = np.full(runs, 100)
    at = At(theta, np.zeros_like(theta), np.zeros(runs), np.zeros((), np.int64), limits, (), (), {})
    return at, method.bind(at)


def applied(rule: Any, gradients: Array, theta: Array | None = None) -> Array:
    """The steps ``(T, R, P)`` that a rule makes of gradients."""
    step = np.empty_like(gradients[0])
    at_theta = np.zeros_like(step) if theta is None else theta
    at = At(at_theta, step, np.zeros(len(step)), np.zeros((), np.int64), np.full(len(step), 9), (), (), {})
    calls, made = rule(at, step)
    steps = []
    for gradient in gradients:
        step[...] = gradient
        run(calls)
        np.add(at.count, 1, at.count)
        steps.append(made.copy())
    return np.array(steps)
