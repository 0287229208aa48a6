"""Sharpness-aware minimisation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.config.settings import Range, setting
from nnexp.optim.at import At
from nnexp.optim.sgd import SGD
from nnexp.optim.start import start

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SAM(SGD):
    """Gradient descent with the gradient at the worst point nearby, which leads to flat minima.

    ``theta = theta - learning_rate * gradient(theta + rho * g / |g|)``, ``g = gradient(theta)``, both on the same
    samples, so an update is six evaluations (Foret et al., 2021). ``momentum``, weight decay and clipping apply to
    the second gradient.
    """

    evaluations: ClassVar[int] = 6

    rho: float = setting(
        0.05,
        "distance of the point whose gradient is followed",
        Range(0, above=True, log=True, search=(0.01, 0.5)),
        per_run=True,
    )

    def update(self, at: At) -> list[Call]:
        before, way, rho = start(at), np.empty_like(at.theta), at.column(self.rho)
        share, least = np.empty_like(rho), at.number(1e-12)
        return [
            partial(np.vecdot, at.gradient, at.gradient, share[:, 0]),
            partial(np.sqrt, share, share),
            partial(np.add, share, least, share),
            partial(np.divide, rho, share, share),
            partial(np.multiply, share, at.gradient, way),
            partial(np.add, at.theta, way, at.theta),
            *at.again,
            partial(np.copyto, at.theta, before),
            *super().update(at),
            partial(np.copyto, before, at.theta),
        ]

    def answer(self, at: At) -> Array:
        return start(at) if self.average is None else super().answer(at)
