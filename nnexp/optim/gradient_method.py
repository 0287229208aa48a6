"""The base class of gradient methods: theta is updated by rules applied to its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.optim.at import At
from nnexp.optim.method import Method
from nnexp.optim.rules import Rule, chain, clip_by_norm, clip_by_value, decay, l1
from nnexp.optim.rules.average import averaged, exponential_average, uniform_average
from nnexp.optim.schedules import Constant, Schedule

Array = np.ndarray[Any, Any]


def positive(value: Any) -> bool:
    """The group key of a number whose zero means other arithmetic: steps of the computation are left out."""
    return bool(value > 0)


def _average_kind(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else "exponential"


@dataclass(frozen=True)
class GradientMethod(Method):
    """A method that updates theta by its gradient: ``theta = theta - learning_rate * step``.

    The step is the gradient after a chain of rules: clipping, L1, weight decay, then the method's own :meth:`rules`.
    Weight decay is coupled, the gradient of a penalty; where the method is :attr:`decoupled` it comes last. Settings
    at their defaults cost no call. In a group, settings that differ between runs are arrays ``(R,)``.

    A method with another form of update overrides :meth:`update`. If it moves theta only to evaluate another point, it
    also overrides :meth:`answer`, because an interruption may come at any moment.

    Attributes:
        evaluations: of one update: a forward pass, and a backward pass that counts as two.
        decoupled: whether weight decay is added to the step that the rules give, rather than to the gradient.
    """

    needs_gradient: ClassVar[bool] = True
    evaluations: ClassVar[int] = 3
    decoupled: ClassVar[bool] = False

    learning_rate: float = setting(
        0.01, "step size", Range(0, above=True, log=True, search=(0.0001, 10)), per_run=True
    )
    _: KW_ONLY
    batch_size: int | None = setting(None, "samples of a mini-batch; null: all", Range(1))
    schedule: Schedule = setting(Constant(), "schedule of the learning rate")
    weight_decay: float = setting(
        0.0, "coefficient of weight decay", Range(0, search=(0, 0.1)), per_run=positive
    )
    l1: float = setting(0.0, "coefficient of the L1 penalty", Range(0, search=(0, 0.01)), per_run=positive)
    clip_norm: float | None = setting(
        None, "largest norm of the gradient; null: no limit", Range(0, above=True), per_run=True
    )
    clip_value: float | None = setting(
        None, "largest absolute value in the gradient; null: no limit", Range(0, above=True), per_run=True
    )
    average: float | Literal["polyak"] | None = setting(
        None,
        "average the weights: decay rate of an exponential average, or polyak: the mean of all updates; null: none",
        Range(0, 1, below=True),
        per_run=_average_kind,
    )

    def rules(self) -> Sequence[Rule]:
        """The rules that turn a gradient into a step, in order."""
        return ()

    def update(self, at: At) -> list[Call]:
        """Calls that move ``at.theta (R, P)`` in place by one update."""
        rate, calls = self.schedule.bind(at, self.learning_rate)
        bound = chain(*self._chained())(at, at.gradient)
        scaled = np.empty_like(at.theta)
        return [
            *calls,
            *bound.calls,
            partial(np.multiply, rate, bound.step, scaled),
            partial(np.subtract, at.theta, scaled, at.theta),
        ]

    def bind(self, at: At) -> list[Call]:
        """Calls of one update, followed by those of the average of the weights.

        They are bound once, and again when runs leave the group; their state is in ``at.memory``.
        """
        return [*self.update(at), *self._averaging(at)]

    def answer(self, at: At) -> Array:
        """The array ``(R, P)`` that holds the method's answer: theta, or an average of thetas."""
        return at.theta if self.average is None else averaged(at)

    def _chained(self) -> list[Rule]:
        # By value first: clipping by norm makes no number larger, so that both limits hold.
        clipped = [] if self.clip_value is None else [clip_by_value(self.clip_value)]
        clipped += [] if self.clip_norm is None else [clip_by_norm(self.clip_norm)]
        sparse = [l1(self.l1)] if np.any(self.l1) else []
        decayed = [decay(self.weight_decay)] if np.any(self.weight_decay) else []
        if self.decoupled:
            return [*clipped, *sparse, *self.rules(), *decayed]
        return [*clipped, *sparse, *decayed, *self.rules()]

    def _averaging(self, at: At) -> list[Call]:
        if self.average is None:
            return []
        # In a group this is an array, of strings or of numbers.
        if np.asarray(self.average).dtype.kind == "U":
            return uniform_average(at)
        return exponential_average(at, self.average)
