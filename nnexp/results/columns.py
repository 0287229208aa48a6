"""The columns of tables of runs and of measurements."""

from __future__ import annotations

import pandas as pd

from nnexp.losses.measures import BATCH_LOSS, Measure, measures

MEASURES = tuple(name for name in measures() if name != BATCH_LOSS)
"""The measures of every table, of training, validation and test data.

A dataset with test data but no validation data has them under ``val_`` only.
"""

METRICS = "metrics"
"""The key in a table's ``attrs`` of the runs' metrics, by name."""

AXES = ("iteration", "evaluations", "seconds")
ALL_AXES = (*AXES, "epochs")
"""The axes along which a history can be read; an epoch is one pass over the training data."""

COSTS = ("evaluations", "seconds")
KEYS = (
    *("run_id", "name", "status", "stopped", "sweep_id", "group", "code", "git_commit"),
    *("method", "seed", "started", "artifact_uri"),
)
LABELS = ("version", "variant", "task", "replicate")
"""Columns that are added to runs to identify versions, methods, tasks and seeds."""

MEASURING = "measuring_seconds"
"""Seconds for measuring a run's rows, in addition to training."""

RECORDED = (*AXES, *MEASURES)
"""The columns of every run's rows; those of metrics come after them."""

HISTORY = ("run_id", "method", "seed", *ALL_AXES, *MEASURES)

GIVEN = ("dataset.inputs", "dataset.targets")
PATH = "dataset.path"
DIGEST = "dataset.digest"
"""The hash of given data, in place of their numbers."""


def known_measures(table: pd.DataFrame) -> dict[str, Measure]:
    """The measures of a table of runs or measurements, in order; its ``attrs`` describe metrics."""
    return {
        name: about for name, about in measures(table.attrs.get(METRICS)).items() if name in table.columns
    }


def settings_of(table: pd.DataFrame) -> list[str]:
    """The columns of a table of runs that are settings of the computation, the seed first."""
    other = {*KEYS, *known_measures(table), *COSTS, *LABELS, MEASURING, "reason"}
    names = [str(name) for name in table if name not in other]
    return ["seed", *(name for name in names if not name.startswith(("tracking.", "sweep.")))]


def measure_of(table: pd.DataFrame, name: str) -> Measure:
    """The description of a measure: its label, whether higher is better, whether it is a share.

    Raises:
        ValueError: the table does not have the measure.
    """
    found = measures(table.attrs.get(METRICS)).get(name)
    if found is None:
        known = ", ".join(known_measures(table) or MEASURES)
        raise ValueError(
            f"measure={name}: expected one of {known}; other metrics must be in attrs[{METRICS!r}] of the "
            f"table, as in tables of "
            "load_runs and load_history"
        )
    return found
