"""Data that processes share: loaded once, mapped by the others, the same to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import surroundings

from nnexp.data import Data, Table, frozen, loading, mapped
from nnexp.data.dataset import whole_of
from nnexp.data.idx import MNIST
from nnexp.data.streams import streams
from nnexp.losses import CrossEntropy
from nnexp.network import Network
from nnexp.training import Problem
from tests.data_files import images, people

RNG = np.random.default_rng(0)

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from nnexp.data import loading, mapped
from nnexp.data.idx import MNIST
from nnexp.data.streams import streams
mapped.LEAST_BYTES = 0
mapped.share_in(Path(sys.argv[2]))
dataset = MNIST(path=sys.argv[1], validation_samples=10)
split = loading.load(dataset, streams(int(sys.argv[3])), np.float32)
print(split.train.x.base.base.filename, split.train.x.sum())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process shares data of any size."""
    monkeypatch.setattr(mapped, "LEAST_BYTES", 0)
    monkeypatch.setattr(mapped, "_folder", [tmp_path / "data"])
    loading.forget()
    yield tmp_path / "data"
    loading.forget()


def equal(one: Any, two: Any) -> None:
    for mine, other in zip(one, two, strict=True):
        for a, b in zip(mine, other, strict=True):
            assert (a.dtype, a.flags.writeable) == (b.dtype, False)
            np.testing.assert_array_equal(a, b)


def test_data_have_their_row_of_ones_below_them() -> None:
    x, y = RNG.integers(0, 256, (5, 7)), np.arange(7)
    data = frozen(x, y, "float32", 255)
    np.testing.assert_array_equal(data.x, x.astype("float32") / np.float32(255))
    whole = whole_of(data.x)
    assert whole is not None
    assert np.shares_memory(whole, data.x)
    assert (whole[-1] == 1).all()
    assert whole_of(np.ones((5, 7))) is None
    assert whole_of(np.ones((9, 7))[:5]) is None
    problem = Problem(Network(5, [3], 8), CrossEntropy(), data)
    assert problem._train.x is whole


def test_what_one_process_loaded_others_map(folder: Path, tmp_path: Path) -> None:
    settings = images(tmp_path)
    split = loading.load(MNIST(**settings), streams(3), np.float32)
    equal(split, MNIST(**settings).load(streams(3), np.float32))
    # No stream decides these data: one file for all seeds and processes.
    loading.forget()
    again = loading.load(MNIST(**settings), streams(4), np.float32)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, settings["path"], str(folder), "5"],
        capture_output=True, text=True, env=surroundings(), check=True,
    )  # fmt: skip
    file = again.train.x.base.base.filename
    assert done.stdout.split() == [str(file), str(again.train.x.sum())]
    assert len(list(folder.glob("*/*/loaded.json"))) == 1


def test_data_that_a_stream_divides_are_shared_by_runs_of_the_same_seed(folder: Path) -> None:
    table = Table.of(people(), "buys", categorical=["town"])
    splits = []
    for seed in (1, 2, 1):
        loading.forget()
        draws = streams(seed)
        splits.append(loading.load(table, draws, np.float32))
        own = streams(seed)
        equal(splits[-1], table.load(own, np.float32))
        # What is drawn afterwards is the same, too.
        assert draws["split"].random() == own["split"].random()
    assert len(list(folder.glob("*/*/loaded.json"))) == 2


def test_mini_batches_are_gathered_from_a_file_too(folder: Path, tmp_path: Path) -> None:
    split = loading.load(MNIST(**images(tmp_path)), streams(3), np.float32)
    copy = Data(np.array(split.train.x), split.train.y)
    network = Network(12, [4], 10)
    theta = RNG.standard_normal((3, network.layout.size)).astype("float32")
    scores = []
    for data in (split.train, copy):
        problem = Problem(network, CrossEntropy(), data)
        scores.append(problem.score(theta, batch=np.array([3, 1, 2]), gradient=True).gradient.copy())
    assert len(list(folder.glob("*/*/train.x.npy.rows.npy"))) == 1
    np.testing.assert_array_equal(*scores)


def test_a_disk_that_takes_nothing_costs_memory_and_no_run(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("in the way")
    settings = images(tmp_path)
    split = loading.load(MNIST(**settings), streams(3), np.float32)
    equal(split, MNIST(**settings).load(streams(3), np.float32))
    assert "each process loads its own copy of the data" in caplog.text
