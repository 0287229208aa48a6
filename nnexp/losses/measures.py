"""Measures: the columns that tell how good a run is, each with its label and its direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from nnexp.losses.metrics.metric import Metric

PREFIXES = ("", "val_", "test_")
"""Prefixes of columns of training data, validation data and test data."""

BATCH_LOSS = "batch_loss"
"""Mean loss of every eighth mini-batch since the row before, each with the weights before its update."""

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

    ``label`` is the text for an axis, ``higher`` whether higher is better, ``share`` whether values lie in 0 to 1.
    """

    label: str
    higher: bool
    share: bool


def described(metrics: Iterable[Metric]) -> dict[str, Measure]:
    """The descriptions of metrics for records, by name, without accuracy, which is always there."""
    return {
        one.name: Measure(one.label or one.name, one.higher_is_better, one.share)
        for one in metrics
        if one.name != "accuracy"
    }


def measures(metrics: Mapping[str, Any] | None = None) -> dict[str, Measure]:
    """All measures in order, by column: loss, accuracy and ``metrics`` of each kind of data, then the batch loss.

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
    """A measure's name in sentences and in tables: its label without the explanation in brackets.

    >>> spoken(measures()["val_accuracy"])
    'validation accuracy'
    """
    return about.label.split(" (")[0]


def spoken_name(column: str) -> str:
    """A column's measure in sentences; for a metric of which only the column is known, the column's name.

    >>> spoken_name("val_loss"), spoken_name("val_f1")
    ('validation loss', 'val_f1')
    """
    about = measures().get(column)
    return column if about is None else spoken(about)
