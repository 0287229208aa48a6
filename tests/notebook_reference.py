"""The original notebook's own code as plain functions: what the golden tests and the benchmarks compare with.

``nnfs.init()`` is imitated, never called: it would replace NumPy's functions for the whole process. Under it
normal draws and zeros are float32, and ``np.dot`` is computed in float64 and returned in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Improvement(NamedTuple):
    """What the notebook prints when it finds a new set of weights."""

    iteration: int
    loss: float
    accuracy: float


class Draws:
    """NumPy's global generator after ``np.random.seed(seed)``, under ``nnfs.init()``."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)

    def randn(self, *shape: int) -> Array:
        return np.asarray(self._state.randn(*shape)).astype("float32")


def dot(*args: Array) -> Array:
    return np.dot(*[a.astype("float64") for a in args]).astype("float32")


def zeros(shape: Any, dtype: Any = "float32") -> Array:
    return np.zeros(shape, dtype=dtype)


def reference_data(samples: int = 100, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Spiral data as ``nnfs.init()`` and then ``spiral_data(samples, classes)`` give: (N, 2) and (N,)."""
    draws = Draws(seed)
    x = zeros((samples * classes, 2))
    y = zeros(samples * classes, dtype="uint8")
    for class_number in range(classes):
        ix = range(samples * class_number, samples * (class_number + 1))
        r = np.linspace(0.0, 1, samples)
        t = np.linspace(class_number * 4, (class_number + 1) * 4, samples) + draws.randn(samples) * 0.2
        x[ix] = np.c_[r * np.sin(t * 2.5), r * np.cos(t * 2.5)]
        y[ix] = class_number
    return x, y


class DenseLayer:
    def __init__(self, n_inputs: int, n_neurons: int, draws: Draws) -> None:
        self.weights = 0.01 * draws.randn(n_neurons, n_inputs)
        self.biases = zeros((1, n_neurons))

    def forward(self, inputs: Array) -> None:
        self.output = dot(inputs, self.weights.T) + self.biases


class ActivationReLU:
    def forward(self, inputs: Array) -> None:
        self.output = np.maximum(0, inputs)


class ActivationSoftmax:
    def forward(self, inputs: Array) -> None:
        exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = exp_values / np.sum(exp_values, axis=1, keepdims=True)


class CategoricalCrossEntropyLoss:
    def calculate(self, output: Array, y: Array) -> Any:
        return np.mean(self.forward(output, y))

    def forward(self, y_pred: Array, y_true: Array) -> Array:
        samples = len(y_pred)
        y_pred_clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        if len(y_true.shape) == 1:
            correct_confidences = y_pred_clipped[np.arange(samples), y_true]
        else:
            correct_confidences = np.sum(y_pred_clipped * y_true, axis=1)
        return -np.log(correct_confidences)


class Cells:
    """The notebook's state at a cell: data, generator, and the sizes 2-``hidden``-``classes`` of its pairs."""

    def __init__(self, seed: int = 123, samples: int = 100, classes: int = 3, hidden: int = 3) -> None:
        self.x, self.y = reference_data(samples, classes)
        self.classes, self.hidden = classes, hidden
        self.draws = Draws(seed)

    def pair(self) -> tuple[DenseLayer, DenseLayer]:
        """A new pair of layers, as at the top of each of the later cells."""
        return DenseLayer(2, self.hidden, self.draws), DenseLayer(self.hidden, self.classes, self.draws)

    def first_layer(self) -> Array:
        """The outputs of the cell that codes a dense layer."""
        dense_1 = DenseLayer(2, 3, self.draws)
        dense_1.forward(self.x)
        return dense_1.output

    def forward(self) -> tuple[Array, float, float]:
        """A pair's outputs (N, classes), loss and accuracy: the cells that code a forward pass."""
        dense_1, dense_2 = self.pair()
        activation_1, activation_2 = ActivationReLU(), ActivationSoftmax()
        dense_1.forward(self.x)
        activation_1.forward(dense_1.output)
        dense_2.forward(activation_1.output)
        activation_2.forward(dense_2.output)
        loss = CategoricalCrossEntropyLoss().calculate(activation_2.output, self.y)
        predictions = np.argmax(activation_2.output, axis=1)
        return activation_2.output, float(loss), float(np.mean(predictions == self.y))

    def search(self, iterations: int, perturb: bool) -> list[Improvement]:
        """The loop of random search, or of random perturbation, with a list in place of ``print``."""
        x, y, randn, hidden, classes = self.x, self.y, self.draws.randn, self.hidden, self.classes
        improvements = []
        dense_1, dense_2 = self.pair()
        activation_1, activation_2 = ActivationReLU(), ActivationSoftmax()
        loss_func = CategoricalCrossEntropyLoss()
        lowest_loss: Any = 9999999
        best_dense1_weights = dense_1.weights.copy()
        best_dense1_biases = dense_1.biases.copy()
        best_dense2_weights = dense_2.weights.copy()
        best_dense2_biases = dense_2.biases.copy()

        for iteration in range(iterations):
            if perturb:
                dense_1.weights += 0.05 * randn(hidden, 2)
                dense_1.biases += 0.05 * randn(1, hidden)
                dense_2.weights += 0.05 * randn(classes, hidden)
                dense_2.biases += 0.05 * randn(1, classes)
            else:
                dense_1.weights = 0.05 * randn(hidden, 2)
                dense_1.biases = 0.05 * randn(1, hidden)
                dense_2.weights = 0.05 * randn(classes, hidden)
                dense_2.biases = 0.05 * randn(1, classes)

            dense_1.forward(x)
            activation_1.forward(dense_1.output)
            dense_2.forward(activation_1.output)
            activation_2.forward(dense_2.output)

            loss = loss_func.calculate(activation_2.output, y)

            predictions = np.argmax(activation_2.output, axis=1)
            accuracy = np.mean(predictions == y)

            if loss < lowest_loss:
                improvements.append(Improvement(iteration, float(loss), float(accuracy)))
                best_dense1_weights = dense_1.weights.copy()
                best_dense1_biases = dense_1.biases.copy()
                best_dense2_weights = dense_2.weights.copy()
                best_dense2_biases = dense_2.biases.copy()
                lowest_loss = loss
            elif perturb:
                dense_1.weights = best_dense1_weights.copy()
                dense_1.biases = best_dense1_biases.copy()
                dense_2.weights = best_dense2_weights.copy()
                dense_2.biases = best_dense2_biases.copy()
        return improvements


def forward_loss(seed: int = 123, samples: int = 100, classes: int = 3) -> tuple[float, float]:
    """Loss and accuracy that the cell of the forward pass with loss prints."""
    cells = Cells(seed, samples, classes)
    cells.first_layer()
    cells.pair()
    return cells.forward()[1:]


def _optimization(seed: int, samples: int, classes: int, hidden: int) -> Cells:
    """The notebook's state at the top of its chapter on optimization."""
    cells = Cells(seed, samples, classes, hidden)
    cells.first_layer()
    cells.pair()
    cells.pair()
    return cells


def random_search(
    seed: int = 123, samples: int = 100, classes: int = 3, iterations: int = 10000, hidden: int = 3
) -> list[Improvement]:
    """The improvements that the cell of random search prints."""
    return _optimization(seed, samples, classes, hidden).search(iterations, perturb=False)


def perturbation(
    seed: int = 123,
    samples: int = 100,
    classes: int = 3,
    random_iterations: int = 10000,
    iterations: int = 10000,
    hidden: int = 3,
) -> list[Improvement]:
    """The improvements that the cell of random perturbation prints, after random search has drawn."""
    cells = _optimization(seed, samples, classes, hidden)
    cells.pair()
    per_candidate = hidden * 2 + hidden + classes * hidden + classes
    cells.draws.randn(random_iterations * per_candidate)
    return cells.search(iterations, perturb=True)


def loop_random(iterations: int = 10000) -> list[Improvement]:
    """The notebook's loop of random search alone, for timing."""
    return Cells().search(iterations, perturb=False)


def loop_perturb(iterations: int = 10000) -> list[Improvement]:
    """The notebook's loop of random perturbation alone, for timing."""
    return Cells().search(iterations, perturb=True)


def neuron(iterations: int = 200) -> tuple[Array, float, list[float]]:
    """Weights, bias and every printed loss of the cell that trains one neuron."""
    weights = np.array([-3.0, -1.0, 2.0])
    bias: Any = 1.0
    inputs = np.array([1.0, -2.0, 3.0])
    target_output = 0.0
    learning_rate = 0.001
    losses = []
    for _ in range(iterations):
        # The notebook calls np.dot under nnfs.init(), which rounds the product to float32.
        linear_output = dot(weights, inputs) + bias
        output = np.maximum(linear_output, 0)
        losses.append(float((output - target_output) ** 2))
        dloss_dlinear = 2 * (output - target_output) * np.where(linear_output > 0, 1.0, 0.0)
        weights -= learning_rate * dloss_dlinear * inputs
        bias -= learning_rate * dloss_dlinear * 1.0
    return weights, float(bias), losses


def layer(iterations: int = 200) -> tuple[Array, Array, list[float]]:
    """Weights, biases and every loss of the cell that trains a layer of three neurons."""
    inputs = np.array([1, 2, 3, 4])
    weights = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0.9, 1.0, 1.1, 1.2]])
    biases = np.array([0.1, 0.2, 0.3])
    learning_rate = 0.001
    losses = []
    for _ in range(iterations):
        z = dot(weights, inputs) + biases
        a = np.maximum(z, 0)
        y = np.sum(a)
        losses.append(float(y**2))
        dl_dz = 2 * y * np.ones_like(a) * np.where(z > 0, 1.0, 0.0)
        weights -= learning_rate * np.outer(dl_dz, inputs)
        biases -= learning_rate * dl_dz
    return weights, biases, losses
