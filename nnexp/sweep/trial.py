"""A trial: one job of a sweep with its checked config, and what became of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from nnexp.config.schema import Config
from nnexp.tracking.recorder import RunResult


class Trial(NamedTuple):
    """One run to be: its number, config and overrides, the file of its log, and the hash of its code."""

    number: int
    config: Config
    overrides: list[str]
    log: Path
    code: str

    @property
    def name(self) -> str:
        """A readable name: method, seed, and what else this job overrides."""
        plain = ("seed=", "optimizer=", "tracking.", "tracking=", "sweep", "hydra", "resume=")
        settings = [o.partition("=") for o in self.overrides if not o.lstrip("+").startswith(plain)]
        others = [f"{key.split('.')[-1]}{equals}{value}" for key, equals, value in settings]
        return ", ".join([self.config.optimizer.name, f"seed {self.config.seed}", *others])


class Ended(NamedTuple):
    """A job that ended, with its result; one without a result was not begun."""

    job: Trial
    result: RunResult | None


def objective(result: RunResult | None) -> float:
    """What a run is judged by, lower is better: its validation loss, else training loss; inf for neither."""
    if result is None:
        return math.inf
    known = (value for value in (result.val_loss, result.loss) if math.isfinite(value))
    return next(known, math.inf)
