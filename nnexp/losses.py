"""Losses on a network's last pre-activations, with accuracy and gradient, for any leading axes."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from nnexp.activations import ACTIVATIONS, Call, run, softmax, softmax_backward
from nnexp.targets import Target

Array = np.ndarray[Any, Any]


class Measure(Protocol):
    """A loss bound to one array of pre-activations ``z (..., C, N)`` and its targets.

    Attributes:
        loss: mean loss ``(...)``, written by the calls.
        accuracy: share ``(...)`` of samples whose first largest output is their class, NaN where an output is
            NaN; None without classes.
    """

    loss: Array
    accuracy: Array | None

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        """Calls that write what is asked for and use ``z`` up; with ``gradient``, ``z`` becomes dL/dz."""


class Loss(Protocol):
    """A loss together with the output activation that it follows."""

    def outputs(self, z: Array) -> Array:
        """The network's outputs ``(..., C, N)`` for pre-activations ``z``, which they may replace."""

    def bind(self, z: Array, to: Target) -> Measure:
        """The measure of ``z``."""


class Measured(NamedTuple):
    """Mean loss and accuracy ``(...)``, each None where it was not asked for."""

    loss: Array | None
    accuracy: Array | None


def measure(
    of: Loss, z: Array, to: Target, *, loss: bool = True, accuracy: bool = False, gradient: bool = False
) -> Measured:
    """Mean loss and accuracy of ``z``, which is used up; with ``gradient`` it becomes dL/dz."""
    bound = of.bind(z, to)
    run(bound.calls(loss=loss, accuracy=accuracy, gradient=gradient))
    return Measured(bound.loss if loss else None, bound.accuracy if accuracy else None)


def _mean(values: Array) -> Array:
    return np.add.reduce(values, axis=-1) / values.dtype.type(values.shape[-1])


class _Hits:
    """Counts the samples whose first largest output is their class, for outputs ``z`` relative to the largest.

    Without ties, and without NaN, that is where their class's is zero. Else argmax decides, for all, and the share of
    outputs with a NaN is NaN.
    """

    def __init__(self, z: Array, to: Target, picked: Array) -> None:
        assert to.labels is not None
        self._z, self._labels, self._picked = z, to.labels, picked.reshape(-1)
        self._at_top, self._right = np.empty_like(z, bool), np.empty_like(z, bool)
        self._hit = np.empty(z[..., 0, :].shape, bool)
        self._samples: int = z.shape[-1]
        self._counts = np.empty(z.shape[:-2], np.intp)
        self.share = np.empty(z.shape[:-2])
        self.calls: list[Call] = [
            partial(np.equal, z, z.dtype.type(0), self._at_top),
            partial(np.logical_and, self._at_top, to.mask, self._right),
            self._count,
        ]

    def _count(self) -> None:
        samples = self._samples
        total = self._picked.dot(self._picked)
        # As many as samples: one each, unless a sample with NaN, which has none, makes up for a tie.
        if np.count_nonzero(self._at_top) != self._hit.size or total != total:
            hit = self._z.argmax(axis=-2) == self._labels
            np.divide(np.add.reduce(hit, -1, np.intp, out=self._counts), samples, self.share)
            self.share[np.isnan(self._z).any(axis=(-2, -1))] = np.nan
            return
        if self._hit.size == samples:
            self.share[...] = np.count_nonzero(self._right) / samples
            return
        hit = np.logical_or.reduce(self._right, -2, out=self._hit)
        np.divide(np.add.reduce(hit, -1, np.intp, out=self._counts), samples, self.share)


class _Fused:
    """Softmax and cross-entropy of one ``z``: relative to each sample's largest output, no exp overflows."""

    def __init__(self, z: Array, to: Target) -> None:
        if prod(z.shape[:-2]) == 1:
            # Operands of one shape spare NumPy the work of fitting them to one another.
            to = to._replace(scaled=to.scaled.reshape(z.shape), mask=to.mask.reshape(z.shape))
        samples = z.dtype.type(z.shape[-1])
        row, log = np.empty_like(z[..., :1, :]), np.empty(z[..., 0, :].shape, z.dtype)
        each = np.empty(z.shape[:-1], z.dtype)
        picked, self.loss = np.empty(z.shape[:-2], z.dtype), np.empty(z.shape[:-2], z.dtype)
        self._z, self._scaled, self._picked = z, to.scaled, picked
        self._hits = None if to.labels is None else _Hits(z, to, picked)
        self.accuracy = None if self._hits is None else self._hits.share
        self._shift = [partial(np.maximum.reduce, z, -2, None, row, True), partial(np.subtract, z, row, z)]
        # The mean output of the true class, for targets that are 1 / N there and zero elsewhere.
        self._pick = [partial(np.vecdot, z, to.scaled, each), partial(np.add.reduce, each, -1, None, picked)]
        self._exp = [partial(np.exp, z, z), partial(np.add.reduce, z, -2, None, row, True)]
        self._mean = [
            partial(np.log, row[..., 0, :], log),
            partial(np.vecdot, log, np.full(z.shape[-1], 1 / samples, z.dtype), self.loss),
            partial(np.subtract, self.loss, picked, self.loss),
        ]
        self._pull = [
            partial(np.multiply, row, samples, row),
            partial(np.divide, z, row, z),
            partial(np.subtract, z, to.scaled, z),
        ]

    def _pick_again(self) -> None:
        """The same where an output is -inf, too far below the largest for a number: times a target of 0 it is 0."""
        flat = self._picked.reshape(-1)
        total = flat.dot(flat)
        if total == total:
            return
        lost = np.isnan(self._picked)
        # A copy with the strides of z, so that sums are rounded as those of other runs are.
        counted = np.copy(self._z, order="K")
        np.copyto(counted, 0, where=self._scaled == 0)
        self._picked[lost] = np.add.reduce(np.vecdot(counted, self._scaled), axis=-1)[lost]

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        hits = self._hits if accuracy else None
        return [
            *self._shift,
            *(self._pick if loss or hits else []),
            *(hits.calls if hits else []),
            *([self._pick_again] if loss else []),
            *(self._exp if loss or gradient else []),
            *(self._mean if loss else []),
            *(self._pull if gradient else []),
        ]


class SoftmaxCrossEntropy:
    """Softmax and categorical cross-entropy as one, stable for any finite ``z``.

    ``L = mean_n(log sum_c exp z_cn - z_yn)`` and ``dL/dz = (softmax(z) - one_hot(y)) / N``
    (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108-109).
    """

    def outputs(self, z: Array) -> Array:
        return softmax(z, out=z)

    def bind(self, z: Array, to: Target) -> Measure:
        return _Fused(z, to)


class Composed:
    """An output activation followed by a loss on its outputs; the general form of a :class:`Loss`."""

    def __init__(self, output: str) -> None:
        self.output = output

    def outputs(self, z: Array) -> Array:
        return softmax(z, out=z) if self.output == "softmax" else ACTIVATIONS[self.output](z)

    def bind(self, z: Array, to: Target) -> Measure:
        return _Composition(self, z, to)

    def value(self, a: Array, to: Target) -> Array:
        """Mean loss ``(...)`` of outputs ``a (..., C, N)``."""
        raise TypeError(f"{type(self).__name__} has no value of its own")

    def gradient(self, a: Array, to: Target) -> Array:
        """``dL/da`` with the shape of ``a``, a new array."""
        raise TypeError(f"{type(self).__name__} has no gradient of its own")


class _Composition:
    """A composed loss of one ``z``."""

    def __init__(self, of: Composed, z: Array, to: Target) -> None:
        self._of, self._z, self._to = of, z, to
        self.loss = np.empty(z.shape[:-2], z.dtype)
        self.accuracy = None if to.labels is None else np.empty(z.shape[:-2])

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        return [partial(self._write, loss, accuracy and self.accuracy is not None, gradient)]

    def _write(self, loss: bool, accuracy: bool, gradient: bool) -> None:
        of, z, to = self._of, self._z, self._to
        a = of.outputs(z)
        if accuracy:
            assert self.accuracy is not None
            self.accuracy[...] = np.count_nonzero(a.argmax(axis=-2) == to.labels, axis=-1) / z.shape[-1]
            self.accuracy[np.isnan(a).any(axis=(-2, -1))] = np.nan
        if loss:
            self.loss[...] = of.value(a, to)
        if gradient:
            grad = of.gradient(a, to)
            if of.output == "softmax":
                z[...] = softmax_backward(grad, a)
            else:
                run(ACTIVATIONS[of.output].backward(grad, a, np.empty_like(a)))
                z[...] = grad


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
