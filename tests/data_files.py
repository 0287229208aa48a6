"""Small files of data, and the settings of datasets that cannot be without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def people(rows: int = 40) -> pd.DataFrame:
    """Two numbers, a column of categories, and a label that they decide."""
    rng = np.random.default_rng(5)
    age, income = rng.integers(18, 80, rows), rng.normal(3000, 400, rows).round(2)
    town = rng.choice(["Basel", "Bern", "Chur"], rows)
    return pd.DataFrame({"age": age, "income": income, "town": town, "buys": np.where(age > 40, "yes", "no")})


def table(folder: Path) -> dict[str, Any]:
    people().to_csv(folder / "people.csv", index=False)
    return {"path": str(folder / "people.csv"), "target": "buys", "categorical": ["town"]}


NEEDS = {"table": table}
"""Datasets that read files: what writes them into a folder, and returns the settings."""


def needs(name: str, folder: Path) -> dict[str, Any]:
    """The settings that the dataset of this name cannot be without, with their files in ``folder``."""
    return NEEDS[name](folder) if name in NEEDS else {}
