"""The arrays of R runs that a gradient method is bound to: its calls read and write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnexp.calls import Call

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class At:
    """R runs at one update. Arrays are written in place and never replaced.

    Attributes:
        theta: ``(R, P)``.
        gradient: ``(R, P)``, of theta on the update's samples when its calls begin.
        loss: ``(R,)`` of theta on these samples after calls of :attr:`again`; else the loss of an earlier theta.
        count: updates done so far ``()``, the same for all runs; it increases after the update's calls.
        limits: updates that each run's budget allows ``(R,)``.
        again: calls that compute loss and gradient at the present theta, on the same samples.
        draws: a generator for each run.
        memory: arrays ``(R, ...)`` by name that outlive the binding; see :meth:`remembered`.
        scope: prefix of the names in ``memory``.
    """

    theta: Array
    gradient: Array
    loss: Array
    count: Array
    limits: Array
    again: Sequence[Call]
    draws: Sequence[np.random.Generator]
    memory: dict[str, Array]
    scope: str = ""

    def remembered(
        self, name: str, shape: tuple[int, ...] | None = None, fill: Any = 0.0, dtype: Any = None
    ) -> Array:
        """The array ``(R, *shape)`` of this name, created at the first call.

        It keeps its content when other runs leave the group. Without ``shape`` it has the shape of theta.
        ``fill`` is the initial value, a number or an array that can be broadcast.
        """
        full = self.theta.shape if shape is None else (len(self.theta), *shape)
        name = f"{self.scope}{name}"
        if name not in self.memory:
            self.memory[name] = np.full(full, fill, dtype or self.theta.dtype)
        return self.memory[name]

    def within(self, scope: str) -> At:
        """The same, with its own names in ``memory``."""
        return replace(self, scope=f"{self.scope}{scope}/")

    def full(self, value: Any) -> Array:
        """A number, or one a run ``(R,)``, for each parameter ``(R, P)``: operands of one shape are fastest."""
        return np.ascontiguousarray(np.broadcast_to(self.column(value), self.theta.shape))

    def column(self, value: Any) -> Array:
        """A number, or one a run ``(R,)``, as a column ``(R, 1)`` of theta's dtype."""
        numbers = np.asarray(value, self.theta.dtype)[..., None]
        return np.ascontiguousarray(np.broadcast_to(numbers, (len(self.theta), 1)))

    def each(self, value: Any) -> list[float]:
        """A number, or one a run ``(R,)``, as a list with one for each run."""
        numbers: list[float] = np.broadcast_to(np.asarray(value, np.float64), len(self.theta)).tolist()
        return numbers

    def number(self, value: float) -> Any:
        """A number as a scalar of theta's dtype, so that results have it too."""
        return self.theta.dtype.type(value)
