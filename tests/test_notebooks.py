"""The notebooks run from their first cell to their last, and are committed without outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from commands import SMALL, here

NOTEBOOKS = Path(__file__).resolve().parents[1] / "nnexp" / "notebooks"
RUN = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=300, kernel_name="python3").execute()
pictures = sum("image/png" in out.get("data", {}) for cell in book.cells for out in cell.get("outputs", []))
print(pictures)
"""


def execute(name: str, place: Path) -> int:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOKS / name)],
        cwd=place, env={**os.environ, "PYTHONWARNINGS": "ignore"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def test_the_walkthrough_runs(tmp_path):
    assert execute("walkthrough.ipynb", tmp_path) == 3


def test_a_fresh_sweep_is_compared(swept):
    assert execute("compare_sweep.ipynb", swept) == 6


def test_the_inside_of_a_fresh_sweep_is_shown(swept):
    assert execute("inside_training.ipynb", swept) == 6


def test_the_hyperparameters_of_a_fresh_sweep_are_weighed(tmp_path):
    grid = ("optimizer=sgd", "optimizer.learning_rate=0.1,1,3", "optimizer.momentum=0,0.9", "seed=0,1")
    done = here(tmp_path, "-m", *grid, *SMALL)
    assert done.returncode == 0, done.stderr
    assert execute("hyperparameters.ipynb", tmp_path) == 3


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_outputs_are_committed(path):
    for cell in nbformat.read(path, 4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
