"""Tuned against default: choosing a setting of each method, and what the choice cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd


class Selection(NamedTuple):
    """The chosen setting of each method, on seeds that did not choose it.

    ``runs`` are those to compare, with the columns ``tuned`` (bool), ``tuning_runs``, ``tuning_evaluations`` and
    ``tuning_seconds``; ``costs`` has a row a method: ``method``, ``settings``, ``chosen``, ``runs``,
    ``evaluations``, ``seconds``, ``seeds``; ``warnings`` are sentences.
    """

    runs: pd.DataFrame
    costs: pd.DataFrame
    warnings: list[str]


def select_best(
    runs: pd.DataFrame,
    measure: str | None = None,
    seeds: Sequence[int] | None = None,
    task: Sequence[str] | None = None,
) -> Selection:
    """Choose each method's setting by its mean ``measure`` on ``seeds``, and leave those seeds out after.

    Args:
        seeds: that choose; None for the first half of them.
    """
    raise NotImplementedError
