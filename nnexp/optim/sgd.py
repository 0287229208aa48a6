"""Gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnexp.config.settings import ConfigError, Range, setting
from nnexp.optim.gradient_method import GradientMethod, positive
from nnexp.optim.rules import Rule, trace


@dataclass(frozen=True)
class SGD(GradientMethod):
    """Gradient descent, stochastic where ``batch_size`` is given: ``theta = theta - learning_rate * v``.

    ``v = momentum * v + gradient`` (Robbins and Monro, 1951; Polyak, 1964). With ``nesterov`` the step looks ahead:
    ``theta = theta - learning_rate * (gradient + momentum * v)`` (Nesterov, 1983).
    """

    learning_rate: float = setting(
        0.1, "step size", Range(0, above=True, log=True, search=(0.01, 10)), per_run=True
    )
    # Zero is in the group's key: without momentum there is no velocity, and two operations a step are left out.
    momentum: float = setting(
        0.0,
        "momentum: factor of the last step that is added",
        Range(0, 1, below=True, search=(0, 0.95)),
        per_run=positive,
    )
    nesterov: bool = setting(False, "use Nesterov's momentum")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not np.any(self.momentum):
            raise ConfigError(f"{self.name}.nesterov=true: expected momentum above 0")

    def rules(self) -> Sequence[Rule]:
        return [trace(self.momentum, self.nesterov)] if np.any(self.momentum) else []
