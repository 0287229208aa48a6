"""NAdam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from nnexp.config.settings import Range, setting
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.rules import Rule, nadam


@dataclass(frozen=True)
class NAdam(GradientMethod):
    """Adam with Nesterov's momentum, which grows: ``mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)``.

    ``theta = theta - rate * ((1 - mu_t) / (1 - M_t) * g + mu_t+1 / (1 - M_t+1) * m) / (sqrt(v') + epsilon)``, M the
    products of mu, m and v' as in Adam (Dozat, 2016).
    """

    option: ClassVar[str] = "nadam"

    learning_rate: float = setting(
        0.01, "step size", Range(0, above=True, log=True, search=(0.0001, 0.1)), per_run=True
    )
    beta1: float = setting(
        0.9, "decay rate of the running mean", Range(0, 1, below=True, search=(0, 0.99)), per_run=True
    )
    beta2: float = setting(
        0.999,
        "decay rate of the running mean square",
        Range(0, 1, below=True, search=(0.9, 0.9999)),
        per_run=True,
    )
    epsilon: float = setting(1e-8, "added to the root of the mean square", Range(0, above=True), per_run=True)
    momentum_decay: float = setting(
        0.004, "how fast the momentum grows", Range(0, search=(0, 0.01)), per_run=True
    )

    def rules(self) -> Sequence[Rule]:
        return [nadam(self.beta1, self.beta2, self.epsilon, self.momentum_decay)]
