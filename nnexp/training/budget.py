"""Budgets: when a run ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnexp.config.settings import Range, setting


@dataclass(frozen=True)
class Budget:
    """When a run ends: at the first limit that is reached. One of iterations, evaluations and seconds must be given.

    ``iterations`` and ``evaluations`` are never exceeded, ``seconds`` of training by at most one block. A run with a
    ``target`` or ``patience`` may end earlier, at one of its rows.
    """

    iterations: int | None = setting(None, "candidates considered, or updates", Range(1))
    evaluations: int | None = setting(None, "forward passes; a backward pass counts as two", Range(1))
    seconds: float | None = setting(None, "seconds of training", Range(0, above=True))
    target: float | None = setting(None, "value of measure at which a run ends")
    patience: int | None = setting(
        None, "iterations without a better value of measure after which a run ends", Range(1)
    )
    measure: str = setting(
        "auto",
        "what target and patience refer to: loss, accuracy or one of metrics, with val_ of validation data; "
        "auto: val_loss with validation data, else loss",
    )

    @property
    def unlimited(self) -> bool:
        """Whether no limit is given."""
        return self.iterations is self.evaluations is self.seconds is None

    def updates(self, evaluations: int) -> int:
        """The number of updates that the limits allow, for a method with this number of ``evaluations`` for each.

        >>> Budget(iterations=100, evaluations=10).updates(3)
        3
        """
        most = int(np.iinfo(np.int64).max)
        for limit, each in ((self.iterations, 1), (self.evaluations, evaluations)):
            most = most if limit is None else min(most, limit // each)
        return most
