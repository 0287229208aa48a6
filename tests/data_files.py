"""Small files of data, and the settings of datasets that cannot be without them."""

from __future__ import annotations

import gzip
import struct
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


def write_idx(place: Path, array: np.ndarray) -> None:
    """An array of bytes as an IDX file, compressed if its name says so."""
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    content += array.astype(np.uint8).tobytes()
    place.write_bytes(gzip.compress(content) if place.suffix == ".gz" else content)


def images(folder: Path) -> dict[str, Any]:
    """Forty images of 3 x 4 pixels for training, twelve for test; half of the files are compressed."""
    rng = np.random.default_rng(6)
    for name, count in (("train", 40), ("t10k", 12)):
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 3, 4)))
        write_idx(folder / f"{name}-labels-idx1-ubyte", rng.integers(0, 10, count))
    return {"path": str(folder), "validation_samples": 10}


NEEDS = {"table": table, "mnist": images, "fashion_mnist": images}
"""Datasets that read files: what writes them into a folder, and returns the settings."""


def needs(name: str, folder: Path) -> dict[str, Any]:
    """The settings that the dataset of this name cannot be without, with their files in ``folder``."""
    return NEEDS[name](folder) if name in NEEDS else {}
