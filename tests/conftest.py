"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import here
from hypothesis import settings
from stores import copy_new_stores

from nnexp.process import COLLECT

# The same examples everywhere: a fresh clone passes or fails as any other. ``--hypothesis-profile=search`` looks on.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=5000, deadline=None)
settings.load_profile("repeatable")

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    # As nnexp.run has it: on networks this small a second thread only waits.
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]

MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30


def keep_in_memory() -> None:
    """Make a folder in memory that of all temporary files from now on, unless there is no room or another was chosen.

    Tests and the commands that they start make very many small files, for which a disk may take a millisecond each.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM:
        return
    place = MEMORY / f"nnexp-tests-{os.getuid()}"
    # PostgreSQL's own user goes through it.
    place.mkdir(mode=0o711, exist_ok=True)
    os.environ["TMPDIR"], tempfile.tempdir = str(place), None


keep_in_memory()


def pytest_collection_finish() -> None:
    """Tests that load MLflow copy new stores; others need not wait until it is loaded."""
    if "nnexp.tracking.mlflow_store" in sys.modules:
        copy_new_stores()
    # As in nnexp's own commands: MLflow makes very many objects, and those that are there now stay.
    gc.freeze()
    gc.set_threshold(COLLECT, *gc.get_threshold()[1:])


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
    """A command with the given arguments, in this process and an empty folder."""

    def run(*arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return here(cwd or tmp_path, *arguments, env=surroundings() | variables)

    return run


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real sweep of three methods, two tasks and three seeds, of which one run was deleted."""
    place = tmp_path_factory.mktemp("swept")
    small = ("budget.iterations=60", "dataset.samples=20", "dataset.test_samples=10", "tracking=lean")
    command = ("-m", "optimizer=random,perturb,sgd", "dataset=spiral,vertical", "seed=0,1,2", *small)
    done = here(place, *command, env=surroundings())
    assert done.returncode == 0, done.stderr
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("nnexp").experiment_id
    chosen = "params.seed = '2' and params.`optimizer.name` = 'random' and params.`dataset.name` = 'vertical'"
    client.delete_run(client.search_runs([experiment], chosen)[0].info.run_id)
    return place
