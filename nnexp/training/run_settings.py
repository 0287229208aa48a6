"""Everything that a run depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from nnexp.config.settings import ConfigError, Range, setting
from nnexp.data import Dataset, Spiral
from nnexp.losses import CrossEntropy, Loss
from nnexp.losses.measures import BATCH_LOSS, described, measures
from nnexp.losses.metrics import Metric
from nnexp.losses.metrics.metric import check_names
from nnexp.network import MLP, Architecture
from nnexp.optim import SGD, Method
from nnexp.optim.schedules import needing_total
from nnexp.training.budget import Budget


@dataclass(frozen=True)
class Seeds:
    """Seeds of single random streams; null: derived from ``seed``."""

    dataset: int | None = setting(None, "points of the training data", Range(0))
    split: int | None = setting(None, "points of the test data", Range(0))
    init: int | None = setting(None, "initial weights", Range(0))
    batches: int | None = setting(None, "order of mini-batches", Range(0))
    method: int | None = setting(None, "draws of the method", Range(0))
    dropout: int | None = setting(None, "masks of dropout", Range(0))


@dataclass(frozen=True)
class RunSettings:
    """One run: its parts, its seeds and its budget."""

    seed: int = setting(0, "seed of all random numbers", Range(0, 2**32 - 1))
    dtype: Literal["float32", "float64"] = setting("float32", "number type of all arrays")
    streams: Literal["independent", "notebook"] = setting(
        "independent", "one random stream for each use, or the notebook's order of draws"
    )
    accumulate: Literal["float64"] | None = setting(None, "matrix products in float64, rounded to dtype")
    seeds: Seeds = Seeds()
    # A factory, because a part's lists can be changed.
    architecture: Architecture = field(default_factory=MLP)
    dataset: Dataset = Spiral()
    optimizer: Method = SGD()
    loss: Loss = CrossEntropy()
    metrics: list[Metric] = setting([], "measured in addition to loss and accuracy, options of metric")
    budget: Budget = Budget(iterations=10_000)

    @property
    def depends_on_length(self) -> str:
        """The setting by which a run's beginning depends on the length of its budget; empty if there is none."""
        if schedules := needing_total(self.optimizer):
            return f"optimizer.schedule={schedules[0]}"
        if self.streams == "notebook":
            return "streams=notebook"
        return "" if self.budget.seconds is None else f"budget.seconds={self.budget.seconds:g}"

    def __post_init__(self) -> None:
        """Check settings that depend on each other.

        Raises:
                    ConfigError: a budget without a limit, or of seconds alone where a schedule needs a number of
                        updates; a budget.measure that no run measures, or two metrics of one name.
        """
        check_names(self.metrics)
        check_measure("budget.measure", self.budget.measure, self.metrics)
        if self.budget.unlimited:
            raise ConfigError(
                "budget.iterations=null: expected at least one of budget.iterations, budget.evaluations, "
                "budget.seconds"
            )
        if self.budget.iterations is None and self.budget.evaluations is None:
            for schedule in needing_total(self.optimizer):
                raise ConfigError(
                    f"optimizer.schedule={schedule}: expected budget.iterations or budget.evaluations, because "
                    f"the schedule needs the number of updates"
                )


def check_measure(setting: str, measure: str, metrics: Sequence[Metric]) -> None:
    """Check that ``measure`` is ``auto`` or a measure of training or validation data; test data must decide nothing.

    Raises:
        ConfigError: it is not.
    """
    known = [
        name for name in measures(described(metrics)) if not name.startswith("test_") and name != BATCH_LOSS
    ]
    if measure not in ("auto", *known):
        raise ConfigError(f"{setting}={measure}: expected one of auto, {', '.join(known)}")
