"""Gradient methods as their papers write them: one vector of parameters, an endless sequence of thetas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Gradient = Callable[[Array], Array]


def sgd(
    theta: Array, gradient: Gradient, rate: float, momentum: float = 0, nesterov: bool = False
) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = momentum * v + g
        theta = theta - rate * (g + momentum * v if nesterov else v)
        yield theta


def adagrad(theta: Array, gradient: Gradient, rate: float) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = v + g**2
        theta = theta - rate * g / (np.sqrt(v) + 1e-10)
        yield theta


def rmsprop(
    theta: Array, gradient: Gradient, rate: float, decay: float, momentum: float = 0
) -> Iterator[Array]:
    v, sum_ = np.zeros_like(theta), np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = decay * v + (1 - decay) * g**2
        sum_ = momentum * sum_ + g / (np.sqrt(v) + 1e-8)
        theta = theta - rate * sum_
        yield theta


def adam(
    theta: Array, gradient: Gradient, rate: float, largest: bool = False, decay: float = 0
) -> Iterator[Array]:
    m, v, most, t = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta), 0
    while True:
        g, t = gradient(theta), t + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        most = np.maximum(most, v)
        scaled = np.sqrt((most if largest else v) / (1 - 0.999**t)) + 1e-8
        theta = theta - rate * (m / (1 - 0.9**t) / scaled + decay * theta)
        yield theta


def nadam(theta: Array, gradient: Gradient, rate: float) -> Iterator[Array]:
    m, v, product, t = np.zeros_like(theta), np.zeros_like(theta), 1.0, 0
    while True:
        g, t = gradient(theta), t + 1
        mu, after = (0.9 * (1 - 0.5 * 0.96 ** (number * 0.004)) for number in (t, t + 1))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
        theta = theta - rate * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield theta


def lion(theta: Array, gradient: Gradient, rate: float, decay: float = 0) -> Iterator[Array]:
    m = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        theta = theta - rate * (np.sign(0.9 * m + 0.1 * g) + decay * theta)
        m = 0.99 * m + 0.01 * g
        yield theta


def sam(theta: Array, gradient: Gradient, rate: float, rho: float, momentum: float = 0) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = momentum * v + gradient(theta + rho * g / np.linalg.norm(g))
        theta = theta - rate * v
        yield theta


def lbfgs(theta: Array, gradient: Gradient, rate: float, history: int) -> Iterator[Array]:
    """With the inverse Hessian as a matrix: each pair updates it by the formula of BFGS."""
    g, pairs, one = gradient(theta), [], np.eye(len(theta))
    step = g * min(1, 1 / np.abs(g).sum())
    while True:
        before, g_before = theta, g
        theta = theta - rate * step
        yield theta
        g = gradient(theta)
        s, y = theta - before, g - g_before
        if s @ y > 1e-10:
            pairs = [*pairs, (s, y)][-history:]
        inverse = one if not pairs else one * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
        for s, y in pairs:
            left = one - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        step = inverse @ g
