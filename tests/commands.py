"""Real processes of the command line, and what they left in the store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

SMALL = ("budget.iterations=60", "dataset.samples=20", "dataset.test_samples=10", "tracking=lean")


def nnexp(place: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python -m nnexp.run`` in ``place``."""
    command = [sys.executable, "-m", "nnexp.run", *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=300, check=False, **options
    )


def runs(place: Path, kind: str = "run") -> list[Any]:
    """Runs of the store that commands leave in ``place``, oldest first."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    found = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        f"tags.`nnexp.kind` = '{kind}'",
        order_by=["attributes.start_time ASC"],
    )
    return list(found)
