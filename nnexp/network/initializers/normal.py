"""Normal weights of one scale, independent of the layer's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.network.initializers.initializer import Initializer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Normal(Initializer):
    """``scale * N(0, 1)``."""

    scale: float = setting(0.01, "standard deviation", Range(0), per_run=True)

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        return self.scale * rng.standard_normal(shape)
