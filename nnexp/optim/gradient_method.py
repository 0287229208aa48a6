"""What a gradient method is: it looks where theta is, and follows update rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.optim.at import At
from nnexp.optim.method import Method
from nnexp.optim.rules import Rule, chain
from nnexp.optim.schedules import Constant, Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class GradientMethod(Method):
    """A method that updates theta by its gradient: ``theta = theta - learning_rate * step``.

    The step is what the method's :meth:`rules` make of the gradient. A method with another form of update has a
    :meth:`bind` of its own. In a group, settings that differ between runs are arrays ``(R,)``.

    Attributes:
        evaluations: of one update: a forward pass, and a backward pass that counts as two.
    """

    needs_gradient: ClassVar[bool] = True
    evaluations: ClassVar[int] = 3

    learning_rate: float = setting(
        0.01, "step size", Range(0, above=True, log=True, search=(0.0001, 10)), per_run=True
    )
    _: KW_ONLY
    batch_size: int | None = setting(None, "samples of a mini-batch; null for all", Range(1))
    schedule: Schedule = setting(Constant(), "of the learning rate")

    def rules(self) -> Sequence[Rule]:
        """What turns a gradient into a step, in order."""
        return ()

    def bind(self, at: At) -> list[Call]:
        """Calls that move ``at.theta (R, P)`` in place by one update.

        They are made once for some runs, and again when runs leave; what they remember is in ``at``'s memory.
        """
        rate, calls = self.schedule.bind(at, self.learning_rate)
        bound = chain(*self.rules())(at, at.gradient)
        scaled = np.empty_like(at.theta)
        return [
            *calls,
            *bound.calls,
            partial(np.multiply, rate, bound.step, scaled),
            partial(np.subtract, at.theta, scaled, at.theta),
        ]

    def answer(self, at: At) -> Array:
        """The array ``(R, P)`` that holds the method's answer: theta, unless it keeps another."""
        return at.theta
