"""What an initializer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nnexp.config.settings import Part

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Initializer(Part):
    """Initial weights of a layer; biases begin at zero."""

    group: ClassVar[str] = "architecture/init"

    def draw(self, shape: tuple[int, ...], fan_in: int, fan_out: int, rng: np.random.Generator) -> Array:
        """Weights ``shape (outputs, inputs)``, in float64.

        Args:
            fan_in: inputs of one output.
            fan_out: outputs that one input reaches.
        """
        raise TypeError(f"{type(self).__name__} must define draw()")
