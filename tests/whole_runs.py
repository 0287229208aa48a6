"""Recorded runs that were ended and gone on with, beside undisturbed ones; and the checkpoints on their way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nnexp.training import Run
from nnexp.training.checkpoint import find


def artifacts(run: Any) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"))


def config_of(run: Any) -> dict[str, Any]:
    """The plain config of a record."""
    import yaml

    values: dict[str, Any] = yaml.safe_load((artifacts(run) / "config.yaml").read_text())
    return values


def assert_whole(place: Path, run: Any, whole: Run) -> None:
    """The record of a run has the bits of an undisturbed one, and each row once."""
    from mlflow import MlflowClient

    rows = pd.read_parquet(artifacts(run) / "history.parquet")
    for name in set(whole.history) - {"seconds"}:
        np.testing.assert_array_equal(rows[name], getattr(whole.history, name), name)
    assert (np.diff(rows["seconds"]) >= 0).all()
    layout = whole.prepared.problem.network.layout
    with np.load(artifacts(run) / "weights.npz") as file:
        for name, theta in (("final", whole.final_theta), ("best", whole.best_theta)):
            for part, value in layout.named(theta).items():
                np.testing.assert_array_equal(file[f"{name}/{part}"], value)
        np.testing.assert_array_equal(file["theta"], layout.export(whole.snapshots.theta))
        np.testing.assert_array_equal(file["iteration"], whole.snapshots.iteration)
    client = MlflowClient(f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    steps = sorted(point.step for point in client.get_metric_history(run.info.run_id, "loss"))
    assert len(steps) == len(set(steps))
    assert steps[-1] == whole.iterations


def saved(place: Path) -> dict[str, int]:
    """The iterations of the checkpoints below a folder, by the hash of the config."""
    found: dict[str, int] = {}
    for folder in place.glob("runs/hydra/*/*/checkpoints"):
        states, damaged = find(folder)
        assert not damaged
        for key, state in states.items():
            found[key.config] = max(state["iteration"], found.get(key.config, 0))
    return found
