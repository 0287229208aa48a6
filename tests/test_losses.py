"""Losses against their formulas, and against PyTorch where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnexp.config.settings import ConfigError
from nnexp.data import Points
from nnexp.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Loss,
    SquaredError,
    measure,
    target,
)
from nnexp.network import MLP, Linear, Sigmoid
from nnexp.testing import check_loss
from nnexp.training import Budget, RunSettings, train

RNG = np.random.default_rng(0)
Z = 3 * RNG.standard_normal((4, 3, 20))
CLASSES = RNG.integers(0, 3, 20)
NUMBERS = RNG.standard_normal((3, 20))
BITS = RNG.integers(0, 2, (3, 20)).astype(float)


def of_torch(loss: Any, z: np.ndarray, y: Any, classes: bool = False) -> tuple[float, np.ndarray]:
    """PyTorch's loss of samples in rows, and its gradient with samples in columns."""
    torch = pytest.importorskip("torch")
    rows = torch.tensor(z.T.copy(), requires_grad=True)
    value = loss(torch)(rows, torch.tensor(y if classes else np.ascontiguousarray(y.T)))
    value.backward()
    return float(value.detach()), rows.grad.numpy().T


@pytest.mark.parametrize(
    ("loss", "output", "y", "other", "scale"),
    [
        (CrossEntropy(), "softmax", CLASSES, lambda t: t.nn.CrossEntropyLoss(), 1),
        (
            CrossEntropy(label_smoothing=0.2), "softmax", CLASSES,
            lambda t: t.nn.CrossEntropyLoss(label_smoothing=0.2), 1,
        ),
        (
            CrossEntropy(class_weights=[0.5, 2, 1]), "softmax", CLASSES,
            lambda t: t.nn.CrossEntropyLoss(weight=t.tensor([0.5, 2.0, 1.0], dtype=t.float64)), 1,
        ),
        (BinaryCrossEntropy(), "sigmoid", BITS, lambda t: t.nn.BCEWithLogitsLoss(), 3),
        (SquaredError(), "linear", NUMBERS, lambda t: t.nn.MSELoss(), 3),
        (AbsoluteError(), "linear", NUMBERS, lambda t: t.nn.L1Loss(), 3),
        (Huber(0.7), "linear", NUMBERS, lambda t: t.nn.HuberLoss(delta=0.7), 3),
    ],
)  # fmt: skip
def test_a_loss_and_its_gradient_are_pytorch_s(
    loss: Loss, output: str, y: Any, other: Any, scale: int
) -> None:
    # PyTorch divides by outputs too, where there is one target for each.
    to = target(y, 3, "float64")
    gradient = Z.copy()
    value: Any = measure(loss, Z.copy(), to, output).loss
    measure(loss, gradient, to, output, gradient=True)
    for run, z in enumerate(Z):
        expected, slope = of_torch(other, z, y, classes=y.ndim == 1)
        assert value[run] == pytest.approx(scale * expected, rel=1e-12)
        np.testing.assert_allclose(gradient[run], scale * slope, atol=1e-14)


@pytest.mark.parametrize(
    "loss", [CrossEntropy(label_smoothing=0.1), CrossEntropy(class_weights=[1, 2, 0.5]), Huber(0.3)]
)
def test_settings_keep_the_contract(loss: Loss) -> None:
    check_loss(loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_is_right_where_the_sigmoid_is_0_or_1(dtype: str) -> None:
    z = np.array([[-200.0, 200.0, -200.0, 200.0]], dtype)
    to = target(np.array([[0.0, 1.0, 1.0, 0.0]]), 1, dtype)
    gradient = z.copy()
    seen = measure(BinaryCrossEntropy(), z.copy(), to, "sigmoid", accuracy=True)
    measure(BinaryCrossEntropy(), gradient, to, "sigmoid", gradient=True)
    assert seen.loss == pytest.approx(100)
    assert seen.accuracy == 0.5
    np.testing.assert_allclose(gradient, [[0, 0, -0.25, 0.25]], atol=1e-12)


def test_one_sigmoid_output_learns_two_classes() -> None:
    x = RNG.standard_normal((40, 2))
    y = (x[:, :1] + x[:, 1:] > 0).astype(float)
    settings = RunSettings(
        dataset=Points(inputs=x.tolist(), targets=y.tolist()),
        architecture=MLP(hidden=[], output=Sigmoid()),
        loss=BinaryCrossEntropy(),
        budget=Budget(iterations=500),
    )
    (run,) = train(settings)
    assert run.history.accuracy[-1] > 0.95
    with pytest.raises(ConfigError, match="loss=cross_entropy of one output: expected two outputs or more"):
        train(RunSettings(dataset=settings.dataset, architecture=MLP(output=Sigmoid())))


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (CrossEntropy(class_weights=[1, 2]), r"loss\.class_weights=\[1.0, 2.0\]: expected 3 weights"),
        (CrossEntropy(label_smoothing=0.1, clip=1e-7), "expected softmax outputs and loss.clip=null"),
    ],
)
def test_settings_that_do_not_fit_are_refused(loss: Loss, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        train(RunSettings(loss=loss, budget=Budget(iterations=1)))
    with pytest.raises(ConfigError, match="loss=binary_cross_entropy after output=linear: expected sigmoid"):
        BinaryCrossEntropy().check(Linear())
