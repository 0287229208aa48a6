"""Lion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nnexp.config.settings import Range, setting
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.rules import Rule, lion


@dataclass(frozen=True)
class Lion(GradientMethod):
    """Steps of one size for every parameter: ``theta = theta - learning_rate * sign(beta1 * m + (1 - beta1) * g)``.

    Then ``m = beta2 * m + (1 - beta2) * g``. Weight decay is decoupled (Chen et al., 2023).
    """

    decoupled: ClassVar[bool] = True

    learning_rate: float = setting(
        0.001, "step size", Range(0, above=True, log=True, search=(0.00001, 0.01)), per_run=True
    )
    beta1: float = setting(
        0.9, "weight of the running mean in the step", Range(0, 1, below=True, search=(0, 0.99)), per_run=True
    )
    beta2: float = setting(
        0.99, "decay rate of the running mean", Range(0, 1, below=True, search=(0.9, 0.999)), per_run=True
    )

    def rules(self) -> Sequence[Rule]:
        return [lion(self.beta1, self.beta2)]
