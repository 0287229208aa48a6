"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def surroundings() -> dict[str, str]:
    """The environment of a process of nnexp's, without settings of the machine that tests run on."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "NNEXP_", "HYDRA_", "PYTHONWARNINGS"))
    }
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": path, "MPLBACKEND": "Agg", "COLUMNS": "200"}


@pytest.fixture
def nnexp(tmp_path: Path) -> Command:
    """Run ``python -m nnexp.run`` with the given arguments in an empty folder."""

    def run(*arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nnexp.run", *arguments],
            cwd=cwd or tmp_path,
            env=surroundings() | variables,
            capture_output=True,
            text=True,
            timeout=180,
        )

    return run
