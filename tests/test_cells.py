"""Every array that the notebook's forward and gradient cells print, computed with nnexp's own parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnexp.data import Data, Spiral
from nnexp.losses import CrossEntropy, SquaredError, measure, target
from nnexp.network import cells
from nnexp.network.activations import softmax, softmax_backward
from nnexp.network.network import Network
from nnexp.notebook.data import notebook_data
from nnexp.training.problem import Problem
from tests import notebook_reference as reference

WEIGHTS = [[0.2, 0.8, -0.5, 1], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]
BIASES = [2, 3, 0.5]
WEIGHTS_2 = [[0.1, -0.14, 0.5], [-0.5, 0.12, -0.33], [-0.44, 0.73, -0.13]]
BIASES_2 = [-1, 2, -0.5]
BATCH = [[1, 2, 3, 2.5], [2, 5, -1, 2.0], [-1.5, 2.7, 3.3, -0.8]]
LAYER_1 = [[4.8, 1.21, 2.385], [8.9, -1.81, 0.2], [1.41, 1.051, 0.026]]
LAYER_2 = [[0.5031, -1.04185, -2.03875], [0.2434, -2.7332, -5.7633], [-0.99314, 1.41254, -0.35655]]
PROBABILITIES = np.array([[0.7, 0.1, 0.2], [0.1, 0.5, 0.4], [0.02, 0.9, 0.08]])
AVERAGE_LOSS = 0.38506088005216804
DL_DZ = [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]]


def close(actual: Any, expected: Any, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def test_a_neuron() -> None:
    close(cells.forward([[[0.2, 0.8, -0.5]]], [[2]], [[1, 2, 3]]), [[2.3]])
    close(cells.forward([[[0.2, 0.8, -0.5, 1.0]]], [[2]], [[1, 2, 3, 2.5]]), [[4.8]])


def test_a_layer() -> None:
    close(cells.forward([WEIGHTS], [BIASES], [[1, 2, 3, 2.5]]), [[4.8, 1.21, 2.385]])


def test_a_batch() -> None:
    close(cells.forward([WEIGHTS], [BIASES], BATCH), LAYER_1)


def test_two_layers() -> None:
    close(cells.forward([WEIGHTS, WEIGHTS_2], [BIASES, BIASES_2], BATCH), LAYER_2)


def test_spiral_data_are_those_of_nnfs_init() -> None:
    x, y = reference.reference_data()
    data = notebook_data(Spiral(samples=100, classes=3))
    assert data.x.shape == (2, 300)
    assert data.y.shape == (300,)
    np.testing.assert_array_equal(data.x.T, x)
    np.testing.assert_array_equal(data.y, y)


@pytest.mark.parametrize(("samples", "classes"), [(100, 3), (40, 2), (7, 5)])
def test_spiral_data_of_any_size(samples: int, classes: int) -> None:
    x, y = reference.reference_data(samples, classes)
    data = notebook_data(Spiral(samples=samples, classes=classes))
    np.testing.assert_array_equal(data.x.T, x)
    np.testing.assert_array_equal(data.y, y)


def test_the_first_outputs_of_the_dense_layer() -> None:
    printed = [
        [0.0, 0.0, 0.0],
        [6.3689316e-05, -1.3682955e-04, 1.4197530e-04],
        [1.5375603e-05, -1.9797198e-04, 1.8248124e-04],
        [-2.8105261e-04, 1.7820774e-05, -9.9976714e-05],
        [-3.3375289e-04, -2.9265628e-05, -7.3411305e-05],
    ]
    draws = reference.Draws(123)
    weights = 0.01 * draws.randn(3, 2)
    network = Network(2, (), 3, output="linear", accumulate="float64")
    theta = network.layout.join({"dense_0/weights": weights, "dense_0/biases": np.zeros(3)}, np.float32)
    outputs = network.forward(theta, notebook_data(Spiral(samples=100, classes=3)).x).T
    assert outputs.shape == (300, 3)
    close(outputs[:5], printed, 1e-11)
    close(outputs, reference.Cells().first_layer(), 1e-9)


SQUARE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])


def test_sums_over_columns_and_rows_are_gradients_of_biases() -> None:
    # Columns of a are a layer's neurons, so their sum over samples is what a bias receives.
    inputs = np.zeros((3, 1))
    close(cells.gradients(np.zeros((3, 1)), np.zeros(3), inputs, SQUARE).biases, [12, 15, 18])
    close(cells.gradients(np.zeros((3, 1)), np.zeros(3), inputs, SQUARE.T).biases, [6, 15, 24])
    ones = np.ones((1, 3))
    close(cells.forward([ones], [[0]], SQUARE), [[6], [15], [24]])
    close(cells.forward([ones], [[0]], cells.forward([ones], [[0]], SQUARE).T), [[45]])


def test_broadcasting_adds_a_bias_to_every_sample() -> None:
    close(cells.forward([np.eye(3)], [[1, 2, 3]], SQUARE), [[2, 4, 6], [5, 7, 9], [8, 10, 12]])
    close(cells.forward([np.eye(3)], [[-7, -8, -9]], SQUARE), [[-6, -6, -6], [-3, -3, -3], [0, 0, 0]])


def test_softmax_subtracts_each_samples_maximum() -> None:
    shifted = np.array([[-2, -1, 0]] * 3, np.float64)
    close(softmax(SQUARE.T.astype(np.float64)), softmax(shifted.T))
    exponentials = np.exp(shifted)
    close(cells.activate("softmax", SQUARE), exponentials / exponentials.sum(axis=1, keepdims=True))


def test_relu() -> None:
    inputs = [[0, 2, -1, 3.3, -2.7, 1.1, 2.2, -100]]
    close(cells.activate("relu", inputs), [[0, 2, 0, 3.3, 0, 1.1, 2.2, 0]])


def test_softmax() -> None:
    printed = [
        [0.06414769, 0.17437149, 0.47399085, 0.28748998],
        [0.04517666, 0.90739747, 0.00224921, 0.04517666],
        [0.00522984, 0.34875873, 0.63547983, 0.0105316],
    ]
    probabilities = cells.activate("softmax", BATCH)
    close(probabilities, printed, 1e-8)
    close(probabilities.sum(axis=1, keepdims=True), [[1], [1], [1]])


def test_cross_entropy_of_classes_and_of_one_hot_targets() -> None:
    loss = CrossEntropy(clip=1e-7)
    classes = target(np.array([0, 1, 1]), 3, np.float64)
    one_hot = target(np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]]).T, 3, np.float64)
    close((PROBABILITIES.T * classes.values).sum(axis=0), [0.7, 0.5, 0.9])
    close(loss.value(PROBABILITIES.T, classes), AVERAGE_LOSS)
    close(loss.value(PROBABILITIES.T, one_hot), AVERAGE_LOSS)
    fused = measure(CrossEntropy(), np.log(PROBABILITIES.T), classes, accuracy=True)
    close(fused.loss, AVERAGE_LOSS)
    close(fused.accuracy, 1.0)


def test_clipping_keeps_the_loss_of_a_certain_mistake_finite() -> None:
    loss = CrossEntropy(clip=1e-7)
    value = loss.value(np.array([[0.0], [1.0]]), target(np.array([0]), 2, np.float64))
    close(value, -np.log(1e-7))


def test_forward_passes_without_and_with_loss() -> None:
    old = reference.Cells()
    old.first_layer()
    outputs, _, _ = old.forward()
    _, loss, accuracy = old.forward()
    draws = reference.Draws(123)
    draws.randn(3, 2)
    network = Network(2, (3,), 3, accumulate="float64")
    data = notebook_data(Spiral(samples=100, classes=3))
    thetas = []
    for _ in range(2):
        first, second = 0.01 * draws.randn(3, 2), 0.01 * draws.randn(3, 3)
        arrays = dict(zip(network.layout.names, (first, np.zeros(3), second, np.zeros(3)), strict=True))
        thetas.append(network.layout.join(arrays, np.float32))
    assert network.forward(thetas[0], data.x).shape == (3, 300)
    close(network.forward(thetas[0], data.x).T, outputs, 1e-7)
    seen = Problem(network, CrossEntropy(clip=1e-7), data).evaluate(thetas[1])
    close(seen.loss, 1.0986120700836182, 1e-6)
    close(seen.accuracy, 0.31666666666666665)
    close(seen.loss, loss, 1e-6)
    close(seen.accuracy, accuracy)
    assert (loss, accuracy) == reference.forward_loss()


def test_gradients_of_a_layer() -> None:
    found = cells.gradients(WEIGHTS, BIASES, BATCH, DL_DZ)
    # The notebook prints the transposed of this, (n_inputs, n_neurons); here it has the weights' shape.
    assert found.weights.shape == np.shape(WEIGHTS)
    close(found.weights.T, [[0.5] * 3, [20.1] * 3, [10.9] * 3, [4.1] * 3])
    close(found.biases, [6, 6, 6])
    inputs = [[0.44, -0.38, -0.07, 1.37], [0.88, -0.76, -0.14, 2.74], [1.32, -1.14, -0.21, 4.11]]
    close(found.inputs, inputs)


def test_softmax_and_cross_entropy_have_the_gradient_of_their_fused_form() -> None:
    to = target(np.array([0, 1, 1]), 3, np.float64)
    expected = (PROBABILITIES.T - to.values) / 3
    grad = CrossEntropy(clip=1e-7).gradient(PROBABILITIES.T, to)
    close(grad.T, [[-1 / 0.7 / 3, 0, 0], [0, -1 / 0.5 / 3, 0], [0, -1 / 0.9 / 3, 0]])
    close(softmax_backward(grad, PROBABILITIES.T), expected)
    z = np.log(PROBABILITIES.T)
    measure(CrossEntropy(), z, to, gradient=True)
    close(z, expected)


def test_relu_passes_no_gradient_where_it_is_off() -> None:
    built, theta = cells.network([[[-3.0, -1.0, 2.0]]], [[1.0]], output="relu")
    for inputs, expected in (([1.0, -2.0, 3.0], [12.0, -24.0, 36.0, 12.0]), ([3.0, 2.0, 1.0], [0.0] * 4)):
        x = np.array([inputs]).T
        problem = Problem(built, SquaredError(), Data(x, np.zeros((1, 1))))
        score = problem.score(theta[None], gradient=True)
        assert score.gradient is not None
        close(score.gradient[0], expected)
