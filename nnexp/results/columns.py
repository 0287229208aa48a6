"""The columns of tables of runs and of measurements."""

from __future__ import annotations

import pandas as pd

from nnexp.losses.measures import BATCH_LOSS, Measure, measures

MEASURES = tuple(name for name in measures() if name != BATCH_LOSS)
"""What every table has.

Of training data, validation data and test data; where one set of samples is held out, it is under ``val_`` alone.
"""

METRICS = "metrics"
"""Of a table's ``attrs``: the metrics that its runs chose, by name."""

AXES = ("iteration", "evaluations", "seconds")
ALL_AXES = (*AXES, "epochs")
"""The axes along which a history can be read; an epoch is one pass over the training data."""

COSTS = ("evaluations", "seconds")
KEYS = (
    *("run_id", "name", "status", "stopped", "sweep_id", "group", "code", "git_commit"),
    *("method", "seed", "started", "artifact_uri"),
)
LABELS = ("version", "variant", "task", "replicate")
"""What is added to runs to tell versions, methods, tasks and seeds apart."""

MEASURING = "measuring_seconds"
"""What measuring a run's rows took, beside its training."""

RECORDED = (*AXES, *MEASURES)
"""The columns of every run's rows; those of metrics come after them."""

HISTORY = ("run_id", "method", "seed", *ALL_AXES, *MEASURES)

GIVEN = ("dataset.inputs", "dataset.targets")
PATH = "dataset.path"
DIGEST = "dataset.digest"
"""The content of given data, in place of their numbers."""


def known_measures(table: pd.DataFrame) -> dict[str, Measure]:
    """The measures that a table of runs or measurements has, in order; of metrics its ``attrs`` tell."""
    return {
        name: about for name, about in measures(table.attrs.get(METRICS)).items() if name in table.columns
    }


def settings_of(table: pd.DataFrame) -> list[str]:
    """The columns of a table of runs that are settings of what was computed, the seed first."""
    other = {*KEYS, *known_measures(table), *COSTS, *LABELS, MEASURING, "reason"}
    names = [str(name) for name in table if name not in other]
    return ["seed", *(name for name in names if not name.startswith(("tracking.", "sweep.")))]


def measure_of(table: pd.DataFrame, name: str) -> Measure:
    """What a measure is: its label, whether more is better, whether it is a share.

    Raises:
        ValueError: the table does not say.
    """
    found = measures(table.attrs.get(METRICS)).get(name)
    if found is None:
        known = ", ".join(known_measures(table) or MEASURES)
        raise ValueError(
            f"measure={name}: expected one of {known}; of other metrics attrs[{METRICS!r}] of a table tell, which "
            "load_runs and load_history give"
        )
    return found
