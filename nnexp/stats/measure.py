"""What may estimate a run's answer, and which way is better."""

from __future__ import annotations

import pandas as pd


def higher_is_better(measure: str) -> bool:
    """Whether more of ``measure`` is better: true of accuracies, false of losses and costs."""
    return measure.endswith("accuracy")


def default_measure(runs: pd.DataFrame) -> str:
    """``val_loss`` where test data exist, else ``loss``: the training loss judges the answer it chose."""
    return "val_loss" if "val_loss" in runs and runs["val_loss"].notna().any() else "loss"
