"""Recorded runs as tidy tables: one row a run, or one row a measurement; and weights over time."""

from nnexp.results.artifacts import Snapshots, load_config, load_snapshots
from nnexp.results.budget import budget_axis, budget_first
from nnexp.results.columns import (
    ALL_AXES,
    AXES,
    COSTS,
    HISTORY,
    KEYS,
    MEASURES,
    known_measures,
    measure_of,
    settings_of,
)
from nnexp.results.grid import grid, held, on_grid
from nnexp.results.history import load_history
from nnexp.results.labels import label, missing_cells
from nnexp.results.networks import load_network
from nnexp.results.runs import LATEST, load_runs
from nnexp.results.totals import summary
from nnexp.tracking.locations import StoreError

__all__ = [
    "ALL_AXES",
    "AXES",
    "COSTS",
    "HISTORY",
    "KEYS",
    "LATEST",
    "MEASURES",
    "Snapshots",
    "StoreError",
    "budget_axis",
    "budget_first",
    "grid",
    "held",
    "known_measures",
    "label",
    "load_config",
    "load_history",
    "load_network",
    "load_runs",
    "load_snapshots",
    "measure_of",
    "missing_cells",
    "on_grid",
    "settings_of",
    "summary",
]
