"""A loss that waits: runs that last without keeping a processor busy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from math import prod
from time import sleep
from typing import Any, ClassVar

import numpy as np

from nnexp.calls import Call
from nnexp.losses import CrossEntropy
from nnexp.losses.loss import Measure
from nnexp.losses.targets import Target
from nnexp.network.activations import Activation

SECONDS = float(os.environ.get("WAITING_SECONDS", "0"))
"""For each network: none but in commands that a test disturbs."""


@dataclass(frozen=True)
class Waiting(CrossEntropy):
    """Categorical cross-entropy that waits each time that it is computed."""

    option: ClassVar[str] = "waiting"

    def bind(self, z: np.ndarray[Any, Any], to: Target, output: Activation) -> Measure:
        return _Waiting(super().bind(z, to, output), SECONDS * prod(z.shape[:-2]))


class _Waiting:
    def __init__(self, of: Measure, seconds: float) -> None:
        self._of, self._seconds = of, seconds
        self.loss, self.accuracy = of.loss, of.accuracy

    def calls(self, *, loss: bool = True, accuracy: bool = False, gradient: bool = False) -> list[Call]:
        return [
            partial(sleep, self._seconds),
            *self._of.calls(loss=loss, accuracy=accuracy, gradient=gradient),
        ]
