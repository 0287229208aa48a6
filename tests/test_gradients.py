"""Gradients equal finite differences, and PyTorch's where it is installed."""

from __future__ import annotations

import importlib.util
from itertools import product

import numpy as np
import pytest

from nnexp.config.settings import load_part
from nnexp.data import Data
from nnexp.losses import Loss
from nnexp.network.activations import softmax, softmax_backward
from nnexp.network.network import Network
from nnexp.training.problem import Problem

STEP = 1e-6
ACTIVATIONS = ("linear", "relu", "sigmoid", "tanh")
CASES = [
    (activation, output, loss, clip)
    for activation, (output, loss, clip) in product(
        ACTIVATIONS,
        [
            ("softmax", "cross_entropy", None),
            ("softmax", "cross_entropy", 1e-7),
            ("sigmoid", "cross_entropy", 1e-7),
            *((out, "squared_error", None) for out in (*ACTIVATIONS, "softmax")),
            *((out, "squared_sum", None) for out in ACTIVATIONS),
        ],
    )
]


def make(activation: str, output: str, loss: str, clip: float | None, targets: str = "classes") -> Problem:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 20)
    if targets == "one_hot":
        y = np.eye(3)[:, y]
    elif targets == "numbers":
        y = rng.standard_normal((3, 20))
    network = Network(2, [5, 4], 3, activation, output, "float64")
    settings = {"name": loss} | ({} if clip is None else {"clip": clip})
    part = load_part("loss", settings, Loss)
    part.check(network.output)
    return Problem(network, part, Data(rng.standard_normal((2, 20)), y))


def differences(problem: Problem, theta: np.ndarray) -> np.ndarray:
    steps = STEP * np.eye(len(theta))
    both = problem.score(np.concatenate([theta + steps, theta - steps])).loss
    assert both is not None
    return (both[: len(theta)] - both[len(theta) :]) / (2 * STEP)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b), 1e-12))


@pytest.mark.parametrize(("activation", "output", "loss", "clip"), CASES)
def test_gradient_equals_finite_differences(activation, output, loss, clip):
    problem = make(activation, output, loss, clip, "numbers" if loss != "cross_entropy" else "classes")
    theta = 0.7 * np.random.default_rng(1).standard_normal(problem.network.layout.size)
    gradient = problem.score(theta[None], gradient=True).gradient
    assert relative(gradient[0], differences(problem, theta)) < 1e-6


def test_the_sum_of_probabilities_has_no_gradient():
    problem = make("tanh", "softmax", "squared_sum", None)
    theta = np.random.default_rng(1).standard_normal((1, problem.network.layout.size))
    np.testing.assert_allclose(problem.score(theta, gradient=True).gradient, 0, atol=1e-14)


def test_the_check_can_fail():
    problem = make("tanh", "softmax", "cross_entropy", None)
    theta = 0.7 * np.random.default_rng(1).standard_normal(problem.network.layout.size)
    gradient = problem.score(theta[None], gradient=True).gradient[0].copy()
    gradient[3] *= 1.001
    assert relative(gradient, differences(problem, theta)) > 1e-6


@pytest.mark.parametrize("clip", [None, 1e-7])
def test_one_hot_targets_are_classes(clip):
    theta = np.random.default_rng(1).standard_normal((4, 54))
    scores = [
        make("relu", "softmax", "cross_entropy", clip, targets).score(
            theta[:, : make("relu", "softmax", "cross_entropy", clip).network.layout.size],
            accuracy=True,
            gradient=True,
        )
        for targets in ("classes", "one_hot")
    ]
    for one, other in zip(*scores, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mini_batch_has_the_gradient_of_its_samples():
    problem = make("tanh", "softmax", "cross_entropy", None)
    batch = np.array([3, 7, 11, 2])
    part = Problem(problem.network, problem.loss, Data(problem.train.x[:, batch], problem.train.y[batch]))
    theta = np.random.default_rng(1).standard_normal((1, problem.network.layout.size))
    np.testing.assert_allclose(
        problem.score(theta, gradient=True, batch=batch).gradient,
        part.score(theta, gradient=True).gradient,
        rtol=1e-12,
    )


def test_softmax_backward_equals_finite_differences():
    rng = np.random.default_rng(2)
    z, weight = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
    exact = softmax_backward(weight.copy(), softmax(z))
    for c, n in np.ndindex(z.shape):
        step = np.zeros_like(z)
        step[c, n] = STEP
        estimate = ((softmax(z + step) - softmax(z - step)) * weight).sum() / (2 * STEP)
        assert abs(exact[c, n] - estimate) < 1e-8


def test_weights_gradient_has_the_shape_of_the_weights():
    problem = make("relu", "softmax", "cross_entropy", None)
    layout = problem.network.layout
    theta = np.ones((1, layout.size))
    gradient = layout.named(problem.score(theta, gradient=True).gradient[0])
    assert {name: array.shape for name, array in gradient.items()} == {
        name: array.shape for name, array in layout.named(theta[0]).items()
    }


def torch_gradient(
    problem: Problem, theta: np.ndarray, activation: str, loss: str
) -> tuple[float, np.ndarray]:
    import torch

    layout = problem.network.layout
    named = {name: torch.tensor(a, requires_grad=True) for name, a in layout.named(theta).items()}
    acts = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda z: z}
    a = torch.tensor(np.asarray(problem.train.x).T)
    depth = len(layout.blocks)
    for index in range(depth):
        a = a @ named[f"dense_{index}/weights"].T + named[f"dense_{index}/biases"]
        if index < depth - 1:
            a = acts[activation](a)
    if loss == "cross_entropy":
        value = torch.nn.functional.cross_entropy(a, torch.tensor(np.asarray(problem.train.y)))
    else:
        value = ((a - torch.tensor(np.asarray(problem.train.y).T)) ** 2).sum(1).mean()
    value.backward()
    return value.item(), layout.join({name: array.grad.numpy() for name, array in named.items()})


if importlib.util.find_spec("torch"):

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
    def test_gradient_equals_pytorch(activation, loss):
        output = "softmax" if loss == "cross_entropy" else "linear"
        problem = make(activation, output, loss, None, "classes" if loss == "cross_entropy" else "numbers")
        theta = 0.7 * np.random.default_rng(3).standard_normal(problem.network.layout.size)
        score = problem.score(theta[None], gradient=True)
        value, gradient = torch_gradient(problem, theta, activation, loss)
        assert abs(value - score.loss[0]) < 1e-12
        assert relative(score.gradient[0], gradient) < 1e-12
