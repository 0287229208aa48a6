"""Adam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnexp.config.settings import Range, setting
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.rules import Rule, adam


@dataclass(frozen=True)
class Adam(GradientMethod):
    """Steps of similar size for all parameters: the gradient's running mean over the root of its running mean square.

    ``m = beta1 * m + (1 - beta1) * g``, ``v = beta2 * v + (1 - beta2) * g^2``, at update t
    ``theta = theta - learning_rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)``
    (Kingma and Ba, 2015). With ``amsgrad`` v is the largest so far (Reddi, Kale and Kumar, 2018).
    """

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
    amsgrad: bool = setting(False, "divide by the largest mean square so far")

    def rules(self) -> Sequence[Rule]:
        return [adam(self.beta1, self.beta2, self.epsilon, self.amsgrad)]
