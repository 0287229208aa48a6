"""Update rules: each has a memory of its own, and is its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from descents import applied, bound

from nnexp.calls import run
from nnexp.optim import SGD, Adam, AdamW, chain
from nnexp.optim.rules import clip_by_norm, clip_by_value, decay, l1, trace


def test_rules_of_one_kind_have_memories_of_their_own() -> None:
    steps = applied(chain(trace(0.5), trace(0.9)), np.ones((3, 1, 1)))
    np.testing.assert_allclose(steps.ravel(), [1, 2.4, 3.91], rtol=1e-15)
    nested = applied(chain(chain(trace(0.5)), chain(trace(0.9))), np.ones((3, 1, 1)))
    np.testing.assert_array_equal(steps, nested)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_keeps_small_gradients_bit_for_bit_and_bounds_others(dtype: Any) -> None:
    g = np.random.default_rng(0).standard_normal((1, 4, 5)).astype(dtype)
    norms = np.linalg.norm(g[0], axis=1)
    limits = norms * [0.5, 2, 1.5, 0.01]
    clipped = applied(clip_by_norm(limits), g)[0]
    np.testing.assert_array_equal(clipped[1:3], g[0, 1:3])
    np.testing.assert_allclose(np.linalg.norm(clipped[[0, 3]], axis=1), limits[[0, 3]], rtol=1e-6)
    np.testing.assert_allclose(clipped[0] / norms[0] * 2, g[0, 0] / norms[0], rtol=1e-6)
    assert applied(clip_by_norm(1.0), np.zeros((1, 1, 3), dtype)).tolist() == [[[0, 0, 0]]]
    np.testing.assert_array_equal(applied(clip_by_value(0.4), g)[0], g[0].clip(dtype(-0.4), dtype(0.4)))


def test_decay_and_l1_are_gradients_of_their_penalties() -> None:
    theta, g = np.array([[1.0, -2.0, 0.0]]), np.array([[[0.5, 0.5, 0.5]]])
    np.testing.assert_allclose(applied(decay(0.1), g, theta)[0], [[0.6, 0.3, 0.5]])
    np.testing.assert_allclose(applied(l1(0.1), g, theta)[0], [[0.6, 0.4, 0.5]])


def test_decoupled_decay_does_not_go_through_the_means() -> None:
    """Without a gradient AdamW's weights shrink by one share at each update; Adam's by its rate."""
    for method, after in ((AdamW(0.1, weight_decay=0.5), 0.95**3), (SGD(0.1, weight_decay=0.5), 0.95**3)):
        at, calls = bound(method)
        start = at.theta.copy()
        for _ in range(3):
            run(calls)
            np.add(at.count, 1, at.count)
        np.testing.assert_allclose(at.theta, after * start, rtol=1e-12)
    at, calls = bound(Adam(0.1, weight_decay=0.5))
    start = at.theta.copy()
    run(calls)
    np.testing.assert_allclose(at.theta, start - 0.1 * np.sign(start), atol=1e-6)
