"""No activation at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.network.activations.activation import Activation

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Linear(Activation):
    """``f(z) = z``, ``f' = 1``."""

    keeps_one: ClassVar[bool] = True

    def forward(self, z: Array) -> list[Call]:
        return []

    def backward(self, grad: Array, a: Array, scratch: Array) -> list[Call]:
        return []
