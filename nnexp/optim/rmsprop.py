"""RMSProp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.optim.gradient_method import GradientMethod, positive
from nnexp.optim.rules import Rule, rmsprop, trace


@dataclass(frozen=True)
class RMSProp(GradientMethod):
    """The gradient divided by the root of its running mean square: ``v = decay * v + (1 - decay) * g^2``.

    ``theta = theta - learning_rate * g / (sqrt(v) + epsilon)`` (Tieleman and Hinton, 2012); with ``momentum`` the
    quotients are summed as the gradients are in gradient descent (Graves, 2013).
    """

    option: ClassVar[str] = "rmsprop"

    learning_rate: float = setting(
        0.01, "step size", Range(0, above=True, log=True, search=(0.0001, 0.1)), per_run=True
    )
    decay: float = setting(
        0.99,
        "decay rate of the running mean square",
        Range(0, 1, below=True, search=(0.8, 0.999)),
        per_run=True,
    )
    momentum: float = setting(
        0.0,
        "momentum: factor of the last step that is added",
        Range(0, 1, below=True, search=(0, 0.95)),
        per_run=positive,
    )
    epsilon: float = setting(1e-8, "added to the root of the mean square", Range(0, above=True), per_run=True)

    def rules(self) -> Sequence[Rule]:
        scaled = rmsprop(self.decay, self.epsilon)
        return [scaled, trace(self.momentum)] if np.any(self.momentum) else [scaled]
