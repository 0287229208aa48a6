"""AdaGrad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nnexp.config.settings import Range, setting
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.rules import Rule, adagrad


@dataclass(frozen=True)
class AdaGrad(GradientMethod):
    """A rate for each parameter, smaller where gradients were large.

    ``v = v + g^2``, ``theta = theta - learning_rate * g / (sqrt(v) + epsilon)`` (Duchi, Hazan and Singer, 2011).
    """

    option: ClassVar[str] = "adagrad"

    learning_rate: float = setting(
        0.1, "step size", Range(0, above=True, log=True, search=(0.001, 1)), per_run=True
    )
    epsilon: float = setting(1e-10, "added to the root of the squares", Range(0, above=True), per_run=True)

    def rules(self) -> Sequence[Rule]:
        return [adagrad(self.epsilon)]
