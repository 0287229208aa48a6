"""Measures: the columns of a run that say how good it is, each with its label and its direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nnexp.losses.metrics.metric import Metric

PREFIXES = ("", "val_", "test_")
"""Of columns of training data, validation data and test data."""

BATCH_LOSS = "batch_loss"
"""The mean loss of the mini-batches since the row before, every eighth, each by the weights that it changed."""

RESERVED = (
    "loss",
    BATCH_LOSS,
    "iteration",
    "evaluations",
    "seconds",
    "epochs",
    "improvements",
    "measuring_seconds",
)
"""Names that no metric may have."""

_DATA = dict(zip(PREFIXES, ("training ", "validation ", "test "), strict=True))


class Measure(NamedTuple):
    """What a column holds.

    ``label`` is an axis's; ``higher`` says whether more is better; ``share`` whether all values lie in 0 to 1.
    """

    label: str
    higher: bool
    share: bool


def described(metrics: Iterable[Metric]) -> dict[str, Measure]:
    """What records say of metrics, by name; accuracy is described by itself."""
    return {
        one.name: Measure(one.label or one.name, one.higher_is_better, one.share)
        for one in metrics
        if one.name != "accuracy"
    }


def measures(metrics: Mapping[str, Any] | None = None) -> dict[str, Measure]:
    """All measures in their order, by column: loss, accuracy and ``metrics`` of each kind of data, then the batches'.

    >>> list(measures({"f1": ("F1", True, True)}))[:5]
    ['loss', 'accuracy', 'f1', 'val_loss', 'val_accuracy']
    """
    own = {
        "loss": Measure("loss", False, False),
        "accuracy": Measure("accuracy (share of samples)", True, True),
    } | {name: Measure(*about) for name, about in (metrics or {}).items()}
    found = {
        f"{prefix}{name}": about._replace(label=f"{_DATA[prefix]}{about.label}")
        for prefix in PREFIXES
        for name, about in own.items()
    }
    return found | {BATCH_LOSS: Measure("running loss of mini-batches", False, False)}


def spoken(about: Measure) -> str:
    """A measure's name in sentences and in tables: its label without what it is a share of.

    >>> spoken(measures()["val_accuracy"])
    'validation accuracy'
    """
    return about.label.split(" (")[0]


def spoken_name(column: str) -> str:
    """The name of a column's measure in sentences; of a metric of which only the column is known, the column.

    >>> spoken_name("val_loss"), spoken_name("val_f1")
    ('validation loss', 'val_f1')
    """
    about = measures().get(column)
    return column if about is None else spoken(about)
