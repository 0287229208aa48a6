"""AdamW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nnexp.config.settings import Range, setting
from nnexp.optim.adam import Adam
from nnexp.optim.gradient_method import positive


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``theta = theta - learning_rate * (adam's step + weight_decay * theta)``.

    (Loshchilov and Hutter, 2019.)
    """

    option: ClassVar[str] = "adamw"
    decoupled: ClassVar[bool] = True

    weight_decay: float = setting(
        0.01, "coefficient of weight decay", Range(0, search=(0, 0.1)), per_run=positive
    )
