"""Tables of runs and histories as a store would give them, with numbers that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nnexp.results import HISTORY, MEASURES

METHODS = ["random", "sgd", "sgd momentum=0.9"]


def spread(
    seeds: int = 10, tasks: int = 1, gap: float = 0.0, noise: float = 0.1, seed: int = 0
) -> np.ndarray:
    """Answers of three methods that differ by ``gap`` from one to the next."""
    draw = np.random.default_rng(seed).normal(0, noise, (tasks, 3, seeds))
    return 0.5 + draw - gap * np.arange(3)[:, None]


def of(table: pd.DataFrame, **where: str) -> pd.Series:
    """The one row where columns have these values."""
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def made_sweep(
    answers: np.ndarray,
    methods: list[str] | None = None,
    tasks: list[str] | None = None,
    seeds: list[int] | None = None,
    measure: str = "val_loss",
    ends: tuple[int, ...] = (1, 10, 100),
    start: float = 2.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and history of a sweep with final ``answers (T, M, S)``, all 100 iterations long.

    A run starts at ``start`` and is halfway to its answer at iteration 10. A method named ``sgd momentum=0.9``
    is sgd with that setting. An evaluation is an iteration, but three for methods named ``sgd``.
    """
    many_tasks, many_methods, many_seeds = answers.shape
    methods = methods or [f"m{number}" for number in range(many_methods)]
    tasks = tasks or ["spiral", "vertical", "points", "rings", "moons", "stripes"][:many_tasks]
    seeds = seeds or list(range(many_seeds))
    runs, parts = [], []
    for (t, m, s), answer in np.ndenumerate(answers):
        name, *settings = methods[m].split(" ")
        run_id = f"{tasks[t]}-{methods[m]}-{seeds[s]}".replace(" ", "-")
        row: dict[str, Any] = {
            "run_id": run_id,
            "name": run_id,
            "status": "finished",
            "sweep_id": "made",
            "method": name,
            "seed": seeds[s],
            "started": pd.Timestamp("2026-01-01", tz="UTC") + pd.Timedelta(seconds=len(runs)),
            "artifact_uri": "",
            "reason": "",
            "dataset.name": tasks[t],
            "optimizer.name": name,
        }
        row |= {
            f"optimizer.{key}": float(value) for key, _, value in (text.partition("=") for text in settings)
        }
        iteration = np.array([0, *ends])
        share = np.interp(iteration, [0, 10, 100], [0, 0.5, 1])
        cost = 3 if name == "sgd" else 1
        columns = dict.fromkeys(HISTORY, np.full(len(iteration), np.nan))
        columns |= {"run_id": run_id, "method": name, "seed": seeds[s], "iteration": iteration}
        columns |= {"evaluations": cost * iteration, "seconds": 0.01 * cost * iteration, "epochs": iteration}
        columns[measure] = start + share * (answer - start)
        parts.append(pd.DataFrame(columns))
        last = parts[-1].iloc[-1]
        runs.append(row | {name: last[name] for name in MEASURES})
        runs[-1] |= {name: last[name] for name in ("evaluations", "seconds")}
    return pd.DataFrame(runs), pd.concat(parts, ignore_index=True)


def cut(history: pd.DataFrame, run_id: str, after: int) -> pd.DataFrame:
    """The history where one run ended ``after`` an iteration."""
    return history[(history["run_id"] != run_id) | (history["iteration"] <= after)]
