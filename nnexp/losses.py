"""Losses on a network's last pre-activations, with accuracy and gradient, for any leading axes."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from nnexp.activations import ACTIVATIONS, softmax, softmax_backward

Array = np.ndarray[Any, Any]


class Target(NamedTuple):
    """What the outputs should be, prepared once: values ``(..., C, N)`` and values / N.

    Where they are classes, also the classes ``(..., N)`` and whether each output is its sample's class.
    """

    values: Array
    scaled: Array
    labels: Array | None
    mask: Array | None


def target(y: Array, n_outputs: int, dtype: Any) -> Target:
    """Targets from classes ``(..., N)``, or from one-hot or numeric values ``(..., C, N)``.

    Values whose every column is one-hot count as classes, so accuracy is defined for them.

    Raises:
        ValueError: a class outside ``0 .. n_outputs - 1``, or values with another number of rows.
    """
    labels: Array | None
    if np.issubdtype(y.dtype, np.integer) and (y.ndim < 2 or y.shape[-2] != n_outputs):
        labels = y
        if y.size and not (y.min() >= 0 and y.max() < n_outputs):
            raise ValueError(f"targets {y.min()} to {y.max()}: expected classes 0 to {n_outputs - 1}")
        values = (y[..., None, :] == np.arange(n_outputs)[:, None]).astype(dtype)
    else:
        if y.ndim < 2 or y.shape[-2] != n_outputs:
            raise ValueError(f"targets of shape {y.shape}: expected {n_outputs} rows, one an output")
        values = np.ascontiguousarray(y, dtype)
        one_hot = n_outputs > 1 and np.isin(values, (0, 1)).all() and (values.sum(axis=-2) == 1).all()
        labels = values.argmax(axis=-2) if one_hot else None
    scaled = (values / y.shape[-1]).astype(dtype)
    return Target(values, scaled, labels, None if labels is None else values != 0)


class Measured(NamedTuple):
    """Mean loss and accuracy ``(...)``, each None where it was not asked for."""

    loss: Array | None
    accuracy: Array | None


class Loss(Protocol):
    """A loss together with the output activation that it follows."""

    def outputs(self, z: Array) -> Array:
        """The network's outputs ``(..., C, N)`` for pre-activations ``z``, which they may replace."""

    def measure(
        self, z: Array, to: Target, *, loss: bool = True, accuracy: bool = False, gradient: bool = False
    ) -> Measured:
        """Mean loss and accuracy of ``z (..., C, N)``; with ``gradient``, ``z`` becomes dL/dz."""


def _mean(values: Array) -> Array:
    return np.add.reduce(values, axis=-1) / values.dtype.type(values.shape[-1])


def hits(z: Array, top: Array, to: Target) -> Array:
    """Share ``(...)`` of samples whose first largest output, ``top (..., 1, N)``, is the target's class."""
    assert to.labels is not None
    assert to.mask is not None
    lead, samples = z.shape[:-2], z.shape[-1]
    at_top = np.equal(z, top)
    flat = top.reshape(-1)
    square = flat.dot(flat)
    # As many as samples: one each, unless a sample with NaN, which has none, makes up for a tie.
    if np.count_nonzero(at_top) == top.size and square == square:
        right = np.logical_and(at_top, to.mask)
        if top.size == samples:
            return np.full(lead, np.count_nonzero(right) / samples)
        counts = np.count_nonzero(right.reshape(*lead, -1), axis=-1)
    else:
        # argmax's rule, the first of the largest.
        counts = np.count_nonzero(z.argmax(axis=-2) == to.labels, axis=-1)
    return np.asarray(counts) / samples


class SoftmaxCrossEntropy:
    """Softmax and categorical cross-entropy as one, stable for any finite ``z``.

    ``L = mean_n(log sum_c exp z_cn - z_yn)`` and ``dL/dz = (softmax(z) - one_hot(y)) / N``
    (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108-109).
    """

    def outputs(self, z: Array) -> Array:
        return softmax(z, out=z)

    def measure(
        self, z: Array, to: Target, *, loss: bool = True, accuracy: bool = False, gradient: bool = False
    ) -> Measured:
        row = np.maximum.reduce(z, axis=-2, keepdims=True)
        share = hits(z, row, to) if accuracy and to.labels is not None else None
        np.subtract(z, row, out=z)
        count = z.shape[-1]
        value = None
        flat = (*z.shape[:-2], z.shape[-2] * count)
        picked = (
            np.vecdot(z.reshape(flat), to.scaled.reshape(to.scaled.shape[:-2] + flat[-1:])) if loss else None
        )
        np.exp(z, out=z)
        np.add.reduce(z, axis=-2, keepdims=True, out=row)
        if picked is not None:
            value = _mean(np.log(row[..., 0, :])) - picked
        if gradient:
            np.multiply(row, row.dtype.type(count), out=row)
            np.divide(z, row, out=z)
            np.subtract(z, to.scaled, out=z)
        return Measured(value, share)


class Composed:
    """An output activation followed by a loss on its outputs; the general form of a :class:`Loss`."""

    def __init__(self, output: str) -> None:
        self.output = output

    def outputs(self, z: Array) -> Array:
        return softmax(z, out=z) if self.output == "softmax" else ACTIVATIONS[self.output].forward(z)

    def measure(
        self, z: Array, to: Target, *, loss: bool = True, accuracy: bool = False, gradient: bool = False
    ) -> Measured:
        a = self.outputs(z)
        share = None
        if accuracy and to.labels is not None:
            share = hits(a, np.maximum.reduce(a, axis=-2, keepdims=True), to)
        value = self.value(a, to) if loss else None
        if gradient:
            grad = self.gradient(a, to)
            if self.output == "softmax":
                z[...] = softmax_backward(grad, a)
            else:
                z[...] = ACTIVATIONS[self.output].backward(grad, a, np.empty_like(a))
        return Measured(value, share)

    def value(self, a: Array, to: Target) -> Array:
        """Mean loss ``(...)`` of outputs ``a (..., C, N)``."""
        raise TypeError(f"{type(self).__name__} has no value of its own")

    def gradient(self, a: Array, to: Target) -> Array:
        """``dL/da`` with the shape of ``a``, a new array."""
        raise TypeError(f"{type(self).__name__} has no gradient of its own")


class ClippedCrossEntropy(Composed):
    """Categorical cross-entropy of probabilities kept within ``[clip, 1 - clip]``.

    ``L = -mean_n log(sum_c t_cn min(max(a_cn, clip), 1 - clip))``, for classes and one-hot targets;
    the gradient is zero where the bounds hold.
    """

    def __init__(self, output: str = "softmax", clip: float = 1e-7) -> None:
        super().__init__(output)
        self.clip = clip

    def _clipped(self, a: Array) -> Array:
        # Bounds as NumPy makes them from Python numbers: rounded to the array's own type.
        return np.clip(a, self.clip, 1 - self.clip)

    def value(self, a: Array, to: Target) -> Array:
        picked = np.add.reduce(self._clipped(a) * to.values, axis=-2)
        return _mean(-np.log(picked))

    def gradient(self, a: Array, to: Target) -> Array:
        kept = self._clipped(a)
        picked = np.add.reduce(kept * to.values, axis=-2, keepdims=True)
        return np.where(kept == a, -to.scaled / picked, a.dtype.type(0))


class SquaredError(Composed):
    """``L = mean_n sum_c (a_cn - t_cn)**2`` and ``dL/da = 2 (a - t) / N``."""

    def value(self, a: Array, to: Target) -> Array:
        return _mean(np.add.reduce(np.square(a - to.values), axis=-2))

    def gradient(self, a: Array, to: Target) -> Array:
        return (a - to.values) * a.dtype.type(2 / a.shape[-1])


class SquaredSum(Composed):
    """``L = mean_n (sum_c a_cn)**2``: drives the sum of the activations to zero, whatever the targets."""

    def value(self, a: Array, to: Target) -> Array:
        return _mean(np.square(np.add.reduce(a, axis=-2)))

    def gradient(self, a: Array, to: Target) -> Array:
        total = np.add.reduce(a, axis=-2, keepdims=True)
        return np.broadcast_to(total * a.dtype.type(2 / a.shape[-1]), a.shape).copy()


def make_loss(name: str, output: str, clip: float | None = None) -> Loss:
    """The loss called ``name`` (cross_entropy, squared_error or squared_sum) after ``output``.

    Raises:
        ValueError: an unknown name, or cross-entropy after outputs that are no probabilities.
    """
    if name == "cross_entropy":
        if output not in ("softmax", "sigmoid"):
            raise ValueError(f"loss=cross_entropy after output={output}: expected softmax or sigmoid outputs")
        if output == "softmax" and clip is None:
            return SoftmaxCrossEntropy()
        return ClippedCrossEntropy(output, 1e-7 if clip is None else clip)
    kinds: dict[str, type[Composed]] = {"squared_error": SquaredError, "squared_sum": SquaredSum}
    if name not in kinds:
        raise ValueError(f"loss={name}: expected cross_entropy, squared_error or squared_sum")
    return kinds[name](output)
