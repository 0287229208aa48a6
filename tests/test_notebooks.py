"""The notebooks run from their first cell to their last, and are committed without outputs."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest
from commands import SMALL, here
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "nnexp" / "notebooks"


def execute(name: str, place: Path) -> int:
    """Run a notebook in a kernel of its own that works in ``place``; how many pictures it shows."""
    book = nbformat.read(NOTEBOOKS / name, 4)
    with pytest.MonkeyPatch.context() as own, warnings.catch_warnings():
        own.setenv("PYTHONWARNINGS", "ignore")
        # Of the client's own libraries.
        warnings.simplefilter("ignore")
        NotebookClient(
            book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(place)}}
        ).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


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
