"""How the runs of each method ended."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nnexp.results.columns import COSTS, known_measures


def summary(runs: pd.DataFrame, by: str = "method") -> pd.DataFrame:
    """How the runs of each method ended: counts, and mean, standard deviation and median of each measure.

    ``n`` finished runs are described. Diverged, failed and killed ones are counted, in ``lost``, and not
    described: a comparison should say how many there are.
    """
    rows = []
    for label, group in runs.groupby(by, sort=False):
        done = group[group["status"] == "finished"]
        row: dict[str, Any] = {by: label, "n": len(done), "lost": len(group) - len(done)}
        for name in known_measures(runs):
            values = pd.to_numeric(done[name]).dropna()
            row |= {
                f"{name}_mean": values.mean(),
                f"{name}_sd": values.std(),
                f"{name}_median": values.median(),
            }
        row |= {name: pd.to_numeric(done[name]).dropna().median() for name in COSTS}
        rows.append(row)
    table = pd.DataFrame(rows)
    return table.dropna(axis=1, how="all") if len(table) else table
