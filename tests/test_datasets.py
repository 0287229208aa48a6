"""Datasets: nnfs' points, without its side effects."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from nnexp.data import Spiral, Vertical
from nnexp.data.points import points
from nnexp.data.streams import NAMES, streams
from nnexp.notebook.data import notebook_data

NNFS = """
import sys, numpy as np, nnfs
from nnfs.datasets import spiral_data, vertical_data
nnfs.init()
x, y = {"spiral": spiral_data, "vertical": vertical_data}[sys.argv[1]](samples=17, classes=4)
np.save(sys.argv[2], np.column_stack([x, y]).astype(np.float64))
"""


@pytest.mark.parametrize("kind", [Spiral, Vertical])
def test_notebook_data_are_what_nnfs_gives_after_init(kind, tmp_path):
    subprocess.run([sys.executable, "-c", NNFS, kind().name, tmp_path / "x.npy"], check=True)
    table = np.load(tmp_path / "x.npy")
    data = notebook_data(kind(samples=17, classes=4))
    np.testing.assert_array_equal(data.x.T, table[:, :2])
    np.testing.assert_array_equal(data.y, table[:, 2])


def test_the_global_generator_is_neither_read_nor_moved():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    one = Spiral(classes=3).points(10, np.random.default_rng(1))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    np.random.seed(8)
    np.testing.assert_array_equal(Spiral(classes=3).points(10, np.random.default_rng(1)).x, one.x)


def test_data_are_frozen_feature_major_and_of_their_type():
    data = Vertical(classes=3).points(10, np.random.default_rng(1), "float64")
    assert data.x.shape == (2, 30)
    assert data.x.dtype == np.float64
    assert data.y.dtype == np.int64
    assert not data.x.flags.writeable
    assert np.bincount(data.y).tolist() == [10, 10, 10]


def test_classes_fill_a_byte():
    assert Vertical(classes=256).points(1, np.random.default_rng(1)).y.max() == 255


def test_points_need_as_many_targets():
    with pytest.raises(ValueError, match="the same number of rows"):
        points([[1.0, 2.0]], [[1.0], [2.0]])


def test_one_stream_can_be_varied_alone():
    def first(**seeds):
        return {name: rng.integers(2**60) for name, rng in streams(3, seeds).items()}

    base = first()
    assert set(base) == set(NAMES)
    assert len(set(base.values())) == len(NAMES)
    other = first(init=9)
    assert {name for name in NAMES if base[name] != other[name]} == {"init"}
    with pytest.raises(ValueError, match="seeds=\\['weights'\\]"):
        streams(3, {"weights": 1})
