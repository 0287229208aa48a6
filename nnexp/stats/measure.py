"""The measure that methods are compared by, and its direction."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nnexp.results import measure_of


def higher_is_better(measure: str, table: pd.DataFrame | None = None) -> bool:
    """Whether higher values of ``measure`` are better: true for accuracies, false for losses; metrics are in ``table``.

    Raises:
        ValueError: it does not.
    """
    return measure_of(pd.DataFrame() if table is None else table, measure).higher


def default_measure(runs: pd.DataFrame) -> str:
    """``test_loss`` where all finished runs have it, else ``val_loss`` where all have that, else ``loss``.

    Methods are tuned and stopped on validation data, so they are compared on test data where there are both. The
    training loss is used only without validation and test data, because it has also chosen the answer.
    """
    return _first_known(runs, ("test_loss", "val_loss"))


def tuning_measure(runs: pd.DataFrame) -> str:
    """The measure that settings are chosen by: ``val_loss`` where all finished runs have it, else ``loss``; never test
    data."""
    return _first_known(runs, ("val_loss",))


def _first_known(runs: pd.DataFrame, measures: Sequence[str]) -> str:
    finished = runs[runs["status"] == "finished"]
    known = (name for name in measures if name in finished and finished[name].notna().all())
    return next(known, "loss") if len(finished) else "loss"
