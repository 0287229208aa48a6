"""A trial: one job of a sweep with its checked config, and its result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nnexp.config.schema import AUTO, Config
from nnexp.losses.measures import described, measures
from nnexp.losses.metrics import Metric
from nnexp.tracking.recorder import RunResult


class Trial(NamedTuple):
    """A run to be trained: its number, config and overrides, its log file, and the hash of its code."""

    number: int
    config: Config
    overrides: list[str]
    log: Path
    code: str

    @property
    def name(self) -> str:
        """A readable name: method, seed, and the other overrides of this job."""
        plain = ("seed=", "optimizer=", "tracking.", "tracking=", "sweep", "hydra", "resume=")
        settings = [o.partition("=") for o in self.overrides if not o.lstrip("+").startswith(plain)]
        others = [f"{key.split('.')[-1]}{equals}{value}" for key, equals, value in settings]
        return ", ".join([self.config.optimizer.name, f"seed {self.config.seed}", *others])


class Ended(NamedTuple):
    """A job that ended, with its result; None means that it was not started."""

    job: Trial
    result: RunResult | None


def objective(config: Config, result: RunResult | None) -> float:
    """The objective of a run, lower is better: ``sweep.measure``, with a minus sign where higher is better.

    With ``auto`` it is the validation loss, else the training loss; inf where there is no such number.
    """
    if result is None:
        return math.inf
    name = config.sweep.measure
    if name != AUTO:
        value = result.measures.get(name, math.nan)
        return direction(name, config.metrics) * value if math.isfinite(value) else math.inf
    known = (
        value for value in (result.measures.get("val_loss", math.nan), result.loss) if math.isfinite(value)
    )
    return next(known, math.inf)


def direction(measure: str, metrics: Sequence[Metric]) -> float:
    """1 where lower values of a measure are better, -1 where higher ones are."""
    about = measures(described(metrics)).get(measure)
    return -1.0 if about is not None and about.higher else 1.0
