"""Numbers at their ends: overflowing losses, tails of the sigmoid, missing outputs, bits whatever the strides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.data import Data
from nnexp.losses import CrossEntropy, SquaredError, measure, target
from nnexp.network import Activation, Network, Sigmoid
from nnexp.training.problem import Problem


@pytest.mark.parametrize(("output", "loss"), [("softmax", CrossEntropy()), ("linear", SquaredError())])
def test_outputs_that_are_missing_have_no_accuracy(output: str, loss: Any) -> None:
    network = Network(1, [], 2, output=output)
    problem = Problem(network, loss, Data(np.array([[1.0, 0.0, 1.0]]), np.array([0, 0, 1])))
    theta = np.array([[0, 0, 1, 0], [np.nan] * 4, [0, 0, np.inf, 0], [0, 0, -1, 0]], np.float32)
    with np.errstate(all="ignore"):
        shares = problem.score(theta, accuracy=True).accuracy
        alone = [problem.score(one[None], accuracy=True).accuracy[0] for one in theta]
    np.testing.assert_array_equal(shares, alone)
    # Weights of inf make one output NaN, inf * 0: argmax would take it for the largest.
    assert np.isnan(shares[[1, 2]]).all()
    assert not np.isnan(shares[[0, 3]]).any()


@pytest.mark.parametrize(("label", "loss"), [(0, 0.0), (1, np.inf)])
@pytest.mark.parametrize(("dtype", "largest"), [("float32", 2e38), ("float64", 1.5e308)])
def test_the_fused_loss_is_right_where_a_difference_of_outputs_overflows(
    dtype: str, largest: float, label: int, loss: float
) -> None:
    z = np.array([[[largest], [-largest]], [[0.5], [-0.5]]], dtype)
    gradient = z.copy()
    to = target(np.array([label]), 2, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        seen = measure(CrossEntropy(), z.copy(), to, accuracy=True)
        measure(CrossEntropy(), gradient, to, gradient=True)
    np.testing.assert_allclose(seen.loss, [loss, np.log1p(np.exp(-1)) + label], rtol=1e-6)
    assert seen.accuracy is not None
    assert seen.accuracy.tolist() == [1 - label] * 2
    assert gradient[0].ravel().tolist() == ([0, 0] if label == 0 else [1, -1])


def test_an_output_out_of_reach_changes_no_bit_of_other_samples() -> None:
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((4, 3, 50)).astype(np.float32), rng.integers(0, 3, 50)
    z[:, :, 7] = [2e38, -1e38, 0]
    z[2, :, 7] = [2e38, -2e38, 0]
    y[7] = 0
    with np.errstate(over="ignore", invalid="ignore"):
        loss: Any = measure(CrossEntropy(), z.copy(), target(y, 3, "float32")).loss
        for run in range(4):
            assert measure(CrossEntropy(), z[run].copy(), target(y, 3, "float32")).loss == loss[run]
    z[2, :, 7] = [2e38, -1e38, 0]
    assert measure(CrossEntropy(), z[2], target(y, 3, "float32")).loss == loss[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_is_right_in_both_tails(dtype: str) -> None:
    sigmoid = Sigmoid()
    z = np.concatenate([np.linspace(-750, 750, 3001), [-1e30, 1e30, -np.inf, np.inf]]).astype(dtype)
    seen = sigmoid(z.copy())
    wide = z.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        expected = 1 / (1 + np.exp(-wide))
    assert float(sigmoid(np.array([-20], dtype))[0]) == pytest.approx(2.0611536181902037e-9, rel=1e-6)
    # Four units in the last place, or one of the smallest number.
    kind = np.finfo(dtype)
    assert (abs(seen - expected) <= np.maximum(4 * kind.eps * expected, 2 * kind.smallest_subnormal)).all()
    assert np.isnan(sigmoid(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", options(Activation.group))
def test_an_activation_has_the_same_bits_whatever_the_strides(name: str, dtype: str) -> None:
    activation = load_part("activation", name, Activation)
    z = (20 * np.random.default_rng(0).standard_normal((6, 5, 37))).astype(dtype)
    whole = activation(z.copy())
    above_ones = np.concatenate([z, z[..., :1, :]], axis=-2)[..., :-1, :]
    every_third = np.repeat(z, 3, axis=-1)[..., ::3]
    others = [above_ones, every_third]
    if activation.elementwise:
        others.append(np.moveaxis(np.ascontiguousarray(np.moveaxis(z, -2, 0)), 0, -2))
    for other in others:
        np.testing.assert_array_equal(activation(other), whole)
    for run in range(6):
        np.testing.assert_array_equal(activation(z[run].copy()), whole[run])
        for at in range(37):
            np.testing.assert_array_equal(
                activation(z[run, :, at : at + 1].copy()), whole[run, :, at : at + 1]
            )
