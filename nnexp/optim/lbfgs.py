"""L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import ConfigError, Range, setting
from nnexp.optim.at import At
from nnexp.optim.gradient_method import GradientMethod
from nnexp.optim.rules import Rule, lbfgs
from nnexp.optim.start import start

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LBFGS(GradientMethod):
    """Newton's step with an inverse Hessian H from the last gradients: ``theta = theta - f * learning_rate * H g``.

    (Liu and Nocedal, 1989.) Without ``backtrack`` ``f = 1``. With it an update computes the loss after the step: if it
    is not above the lowest so far the step is accepted, and f is doubled, up to 1; else the step is rejected, and f is
    halved. So the training loss never rises. An update is six evaluations then, else three.
    """

    option: ClassVar[str] = "lbfgs"

    learning_rate: float = setting(
        1.0, "step size", Range(0, above=True, log=True, search=(0.1, 1)), per_run=True
    )
    history: int = setting(10, "number of past steps and gradients in the approximation", Range(1))
    backtrack: bool = setting(True, "reject a step that raises the loss, and halve the next")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size is not None:
            raise ConfigError(
                f"{self.name}.batch_size={self.batch_size}: expected null, which means all samples"
            )

    @property
    def evaluations(self) -> int:  # type: ignore[override]
        """Of one update."""
        return 6 if self.backtrack else 3

    def rules(self) -> Sequence[Rule]:
        return [lbfgs(self.history)]

    def update(self, at: At) -> list[Call]:
        if not self.backtrack:
            return super().update(at)
        before, way = start(at), np.empty_like(at.theta)
        lowest = at.remembered("lowest", (), np.finfo(at.theta.dtype).max)
        factor = at.remembered("factor", (1,), 1.0)
        doubled, good, bad = np.empty_like(factor), *(np.empty(len(factor), bool) for _ in range(2))
        half, one, two = (at.number(value) for value in (0.5, 1, 2))
        return [
            *super().update(at),
            partial(np.subtract, at.theta, before, way),
            partial(np.multiply, factor, way, way),
            partial(np.add, before, way, at.theta),
            *at.again,
            partial(np.less_equal, at.loss, lowest, good),
            partial(np.logical_not, good, bad),
            partial(np.copyto, lowest, at.loss, where=good),
            partial(np.copyto, at.theta, before, where=bad[:, None]),
            partial(np.multiply, two, factor, doubled),
            partial(np.minimum, doubled, one, out=doubled),
            partial(np.multiply, half, factor, factor),
            partial(np.copyto, factor, doubled, where=good[:, None]),
            partial(np.copyto, before, at.theta),
        ]

    def answer(self, at: At) -> Array:
        return start(at) if self.backtrack and self.average is None else super().answer(at)
