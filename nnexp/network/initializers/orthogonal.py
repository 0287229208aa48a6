"""Orthogonal weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnexp.config.settings import Range, setting
from nnexp.network.initializers.initializer import Initializer

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """``gain * Q``, the rows or the columns of Q orthonormal, whichever are fewer (Saxe et al., 2014).

    Q is uniform over such matrices: the QR factor of normal numbers, its signs those of R's diagonal.
    """

    gain: float = setting(
        1.0, "factor; 1.414 keeps the scale of activations with ReLU", Range(0), per_run=True
    )

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        tall = rng.standard_normal((max(shape), min(shape)))
        q, r = np.linalg.qr(tall)
        q *= np.sign(np.diagonal(r))
        return np.ascontiguousarray(self.gain * (q if q.shape == shape else q.T))
