"""What may estimate a run's answer, and which way is better."""

from __future__ import annotations

import pandas as pd


def higher_is_better(measure: str) -> bool:
    """Whether more of ``measure`` is better: true of accuracies, false of losses and costs."""
    return measure.endswith("accuracy")


def default_measure(runs: pd.DataFrame) -> str:
    """``val_loss`` where all finished runs have test data, else ``loss``.

    The training loss judges the answer that it has chosen itself; it is what there is without test data.
    """
    finished = runs[runs["status"] == "finished"]
    return "val_loss" if len(finished) and finished["val_loss"].notna().all() else "loss"
