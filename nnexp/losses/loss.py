"""The interface of losses: mean loss, accuracy and gradient at the last pre-activations, for any leading axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from nnexp.calls import Call, run
from nnexp.config.settings import Part, load_part
from nnexp.losses.targets import Target
from nnexp.network.activations import Activation

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
        """Calls that write what is asked for and overwrite ``z``; with ``gradient``, ``z`` becomes dL/dz."""


@dataclass(frozen=True)
class Loss(Part):
    """A loss of outputs ``a = f(z)`` and targets, ``f`` the network's output activation.

    A loss has a :meth:`value` and a :meth:`gradient`; one that is better computed from ``z`` has a :meth:`bind`.
    """

    group: ClassVar[str] = "loss"
    probabilities: ClassVar[bool] = False
    """Whether numeric targets have to be probabilities, numbers from 0 to 1."""

    def check(self, output: Activation, outputs: int = 1) -> None:
        """Check that the loss can be used with this output activation and number of outputs.

        Raises:
            ConfigError: it cannot.
        """

    def bind(self, z: Array, to: Target, output: Activation) -> Measure:
        """The measure of ``z (..., C, N)``."""
        return _Composition(self, z, to, output)

    def value(self, a: Array, to: Target) -> Array:
        """Mean loss ``(...)`` of outputs ``a (..., C, N)``."""
        raise TypeError(f"{type(self).__name__} must define value()")

    def gradient(self, a: Array, to: Target) -> Array:
        """``dL/da`` with the shape of ``a``, a new array."""
        raise TypeError(f"{type(self).__name__} must define gradient()")


class _Composition:
    """A loss bound to ``z`` by way of the output activation: first outputs, then their loss."""

    def __init__(self, loss: Loss, z: Array, to: Target, output: Activation) -> None:
        self._loss, self._z, self._to, self._output = loss, z, to, output
        self.loss = np.empty(z.shape[:-2], z.dtype)
        self.accuracy = None if to.labels is None else np.empty(z.shape[:-2])

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        return [partial(self._write, loss, accuracy and self.accuracy is not None, gradient)]

    def _write(self, loss: bool, accuracy: bool, gradient: bool) -> None:
        z, to = self._z, self._to
        kept = z.copy() if gradient and self._output.reads_input else None
        a = self._output(z)
        if accuracy:
            assert self.accuracy is not None
            self.accuracy[...] = np.count_nonzero(a.argmax(axis=-2) == to.labels, axis=-1) / z.shape[-1]
            self.accuracy[np.isnan(a).any(axis=(-2, -1))] = np.nan
        if loss:
            self.loss[...] = self._loss.value(a, to)
        if gradient:
            grad = self._loss.gradient(a, to)
            run(self._output.backward(grad, a if kept is None else kept, np.empty_like(a)))
            z[...] = grad


class Measured(NamedTuple):
    """Mean loss and accuracy ``(...)``, each None where it was not asked for."""

    loss: Array | None
    accuracy: Array | None


def measure(
    loss_function: Loss,
    z: Array,
    to: Target,
    output: Activation | str = "softmax",
    *,
    loss: bool = True,
    accuracy: bool = False,
    gradient: bool = False,
) -> Measured:
    """Mean loss and accuracy of ``z``, which is overwritten; with ``gradient`` it becomes dL/dz."""
    bound = loss_function.bind(z, to, load_part("architecture.output", output, Activation))
    run(bound.calls(loss=loss, accuracy=accuracy, gradient=gradient))
    return Measured(bound.loss if loss else None, bound.accuracy if accuracy else None)


def mean(values: Array) -> Array:
    """The mean over samples, the last axis, in the values' own dtype."""
    return np.add.reduce(values, axis=-1) / values.dtype.type(values.shape[-1])
