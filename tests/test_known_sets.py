"""Sets that others know: scikit-learn's, nnfs' sine, and images in IDX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnexp.config.settings import ConfigError
from nnexp.data import MNIST, Blobs, BreastCancer, Bundled, Circles, Diabetes, Digits, Iris, Moons, Sine, Wine
from nnexp.data.streams import streams
from tests.data_files import images, write_idx

BUNDLED = [Digits(), Iris(), Wine(), BreastCancer(), Diabetes()]


@pytest.mark.parametrize("dataset", BUNDLED, ids=lambda dataset: dataset.name)
def test_each_sample_is_once_in_one_part(dataset: Bundled) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    whole = getattr(datasets, dataset.loader)()
    split = type(dataset)(standardise=False).load(streams(2), "float64")
    parts = [part for part in split if part is not None]
    assert len(parts) == 3
    together = np.concatenate([part.x for part in parts], axis=1).T * dataset.scale
    rows = np.column_stack([together, np.concatenate([part.y.reshape(-1) for part in parts])])
    expected = np.column_stack([whole.data, whole.target])
    np.testing.assert_allclose(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)], rtol=1e-14)


def test_classes_are_alike_in_all_parts() -> None:
    split = Iris().load(streams(2), "float64")
    assert [np.bincount(part.y).tolist() for part in split if part is not None] == [
        [30] * 3,
        [10] * 3,
        [10] * 3,
    ]
    np.testing.assert_allclose(split.train.x.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(split.train.x.std(axis=1), 1)
    other = Iris().load(streams(2, {"split": 5}), "float64")
    assert not np.array_equal(split.train.x, other.train.x)


@pytest.mark.parametrize("dataset", [Moons(noise=0.0), Circles(noise=0.0, factor=0.5)])
def test_points_are_where_they_should_be(dataset: Any) -> None:
    train = dataset.load(streams(1), "float64").train
    x, y = train.x, train.y
    if dataset.name == "circles":
        np.testing.assert_allclose(np.hypot(*x), np.where(y == 1, 0.5, 1.0))
    else:
        centers = np.where(y == 1, 1.0, 0.0), np.where(y == 1, 0.5, 0.0)
        np.testing.assert_allclose(np.hypot(x[0] - centers[0], x[1] - centers[1]), 1)


def test_blobs_have_one_center_a_class_in_all_parts() -> None:
    split = Blobs(deviation=0.0, classes=4, samples=3, test_samples=2).load(streams(1), "float64")
    assert split.test is not None
    for kind in range(4):
        own = np.concatenate(
            [split.train.x[:, split.train.y == kind], split.test.x[:, split.test.y == kind]], axis=1
        )
        assert own.shape == (2, 5)
        np.testing.assert_array_equal(own, np.repeat(own[:, :1], 5, axis=1))


def test_a_sine_is_one_and_is_measured_between_its_training_points() -> None:
    split = Sine().load(streams(1), "float64")
    for part in split:
        assert part is not None
        np.testing.assert_allclose(part.y, np.sin(2 * np.pi * part.x), atol=1e-12)
    assert split.test is not None
    assert not np.isin(split.test.x, split.train.x).any()


def test_images_are_those_of_the_files_and_seeds_share_them(tmp_path: Path) -> None:
    pixels = np.arange(5 * 6).reshape(5, 2, 3) * 8
    write_idx(tmp_path / "train-images.idx3-ubyte", pixels)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([3, 1, 4, 1, 5]))
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", pixels[:2])
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([9, 2]))
    dataset = MNIST(path=str(tmp_path), validation_samples=2)
    one, two = (dataset.load(streams(seed), "float64") for seed in (1, 2))
    np.testing.assert_allclose(one.train.x, pixels[:3].reshape(3, 6).T / 255)
    assert [part and part.y.tolist() for part in one] == [[3, 1, 4], [1, 5], [9, 2]]
    np.testing.assert_array_equal(one.train.x, two.train.x)
    assert dataset.sizes() == ((1, 2, 3), 10, 3, 2, 2, True)
    before = dataset.digest()
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([9, 3]))
    assert dataset.digest() != before


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (
            "train-labels-idx1-ubyte",
            None,
            "expected a folder with train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz",
        ),
        ("train-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x02\1", "1 bytes; expected 2"),
        (
            "train-labels-idx1-ubyte",
            b"\0\0\x08\x01\0\0\0\x02\1\1",
            r"2 labels; expected one for each of 40",
        ),
        ("train-labels-idx1-ubyte", b"\0\0\x08\x01\0\0\0\x28" + b"\x0a" * 40, "label 10; expected 0 to 9"),
        ("train-labels-idx1-ubyte", b"no", "not an IDX file of bytes with 1 axes"),
        ("t10k-images-idx3-ubyte.gz", b"no gzip at all", "not a gzip file"),
    ],
)
def test_files_that_are_no_images_are_refused(
    tmp_path: Path, name: str, content: bytes | None, line: str
) -> None:
    settings = images(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=line):
        MNIST(**settings).load(streams(0), "float32")


def test_a_folder_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"dataset\.path=null: expected the folder"):
        MNIST().sizes()
    with pytest.raises(ConfigError, match=r"dataset\.split\.tests: unknown"):
        Digits(split={"tests": 0.5})
