"""Tables of one's own: read, checked, divided, and told apart by their content."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nnexp import testing
from nnexp.config.schema import Config
from nnexp.config.settings import ConfigError, load_part
from nnexp.data import Dataset, Points, Table, arrays
from nnexp.data.streams import streams
from nnexp.losses import BinaryCrossEntropy, CrossEntropy, Loss
from nnexp.network import MLP, Sigmoid, Softmax
from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.identity import config_hash
from nnexp.training import Budget, RunSettings, train
from tests.data_files import people


@pytest.fixture
def file(tmp_path: Path) -> Path:
    people().to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def of(path: Path, **settings: Any) -> Table:
    values = {"name": "table", "path": str(path), "target": "buys", "categorical": ["town"]} | settings
    loaded = load_part("dataset", values, Dataset)
    assert isinstance(loaded, Table)
    return loaded


def test_each_format_gives_the_same_samples(file: Path, tmp_path: Path) -> None:
    frame = people()
    frame.to_parquet(tmp_path / "people.parquet")
    columns = {name: frame[name].to_numpy(str if name in ("town", "buys") else None) for name in frame}
    np.savez(tmp_path / "people.npz", **columns)
    expected = of(file).load(streams(1), "float64")
    places = [of(tmp_path / name) for name in ("people.parquet", "people.npz")]
    for other in (*places, Table.of(frame, "buys", categorical=["town"])):
        testing.check_dataset(other)
        assert other.sizes() == of(file).sizes()
        for one, two in zip(expected, other.load(streams(1), "float64"), strict=True):
            np.testing.assert_array_equal(one.x, two.x)
            np.testing.assert_array_equal(one.y, two.y)


def test_categories_are_one_hot_and_classes_are_in_order(file: Path) -> None:
    data = of(file, standardise=False).load(streams(0), "float64").train
    assert of(file).labels() == ["no", "yes"]
    assert of(file).sizes().features == 5
    assert set(np.unique(data.x[2:])) == {0, 1}
    np.testing.assert_array_equal(data.x[2:].sum(axis=0), 1)
    np.testing.assert_array_equal(data.y, data.x[0] > 40)


def test_shares_are_of_each_class_and_drawn_by_the_split_s_stream_alone(tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(100.0), "y": ["a"] * 70 + ["b"] * 30}).to_csv(
        tmp_path / "t.csv", index=False
    )
    table = Table(
        path=str(tmp_path / "t.csv"), target="y", split={"validation": 0.1, "test": 0.3}, standardise=False
    )
    split = table.load(streams(1), "float64")
    assert [np.bincount(part.y).tolist() for part in split] == [[42, 18], [7, 3], [21, 9]]
    assert sorted(np.concatenate([part.x[0] for part in split])) == list(range(100))
    same, other = (table.load(streams(1, seeds), "float64") for seeds in ({"dataset": 9}, {"split": 9}))
    np.testing.assert_array_equal(same.test.x, split.test.x)
    assert not np.array_equal(other.test.x, split.test.x)


def test_what_is_learned_of_inputs_is_of_the_training_data_alone(tmp_path: Path) -> None:
    x = np.array([1.0, np.nan, 5.0, 100.0, np.nan])
    frame = pd.DataFrame(
        {"x": x, "still": 7.0, "part": ["train"] * 3 + ["test"] * 2, "y": [0.5, 1.5, 2.5, 3.5, 4.5]}
    )
    table = Table.of(frame, "y", split="part", missing="mean")
    split = table.load(streams(0), "float64")
    assert split.validation is None
    np.testing.assert_allclose(split.train.x, [[-1, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(split.test.x, [[(100 - 3) / 2, 0], [0, 0]])
    np.testing.assert_array_equal(split.test.y, [[3.5, 4.5]])
    whole = Table.of(frame, "y", split="part", missing="mean", standardise="all").load(streams(0), "float64")
    np.testing.assert_allclose([whole.train.y.mean(), whole.train.y.std()], [0, 1], atol=1e-15)
    kept = Table.of(frame, "y", split="part", missing="drop").load(streams(0), "float64")
    assert [part and part.x.shape[1] for part in kept] == [2, None, 1]


def test_parts_may_be_files(tmp_path: Path) -> None:
    frame = people()
    for name, rows in (("train", slice(30)), ("test", slice(30, 40))):
        frame[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    table = of(
        tmp_path / "train.csv",
        split={"validation": 0.2, "test": str(tmp_path / "test.csv")},
        standardise=False,
    )
    split = table.load(streams(0), "float64")
    assert table.sizes()[2:5] == (24, 6, 10)
    np.testing.assert_array_equal(split.test.x[0], frame["age"][30:])


@pytest.mark.parametrize(
    ("values", "outputs", "classes"),
    [
        ([1, 2, 3, 1], 3, True),
        ([1.0, 2.0, 5.0, 1.0], 3, True),
        ([1.5, 2.0, 5.0, 1.0], 1, False),
        ([True, False, True, False], 2, True),
        (list(range(40)), 1, False),
    ],
)
def test_the_target_says_whether_it_is_classes(values: list[Any], outputs: int, classes: bool) -> None:
    frame = pd.DataFrame({"x": np.arange(len(values)), "y": values})
    sizes = Table.of(frame, "y", split=None).sizes()
    assert (sizes.outputs, sizes.classes) == (outputs, classes)
    assert not Table.of(frame, "y", split=None, task="numbers").sizes().classes


def test_arrays_and_images_are_data_too() -> None:
    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 256, (30, 2, 4, 3), np.uint8), np.arange(30) % 3
    dataset = arrays(images, y, standardise=False)
    assert dataset.sizes().features == (2, 4, 3)
    assert arrays(images.reshape(30, -1), y, shape=[2, 4, 3]).sizes().features == (2, 4, 3)
    np.testing.assert_array_equal(
        arrays(images, y, standardise=False, split=None).load(streams(0), "float32").train.x,
        images.reshape(30, -1).T,
    )
    testing.check_dataset(dataset)
    (run,) = train(RunSettings(dataset=dataset, budget=testing.SMALL.budget))
    assert run.status == "finished"
    numbers = arrays(rng.normal(size=(30, 2)), rng.normal(size=(30, 3)))
    assert numbers.sizes() == (2, 3, 18, 6, 6, False)
    testing.check_dataset(numbers)


def test_a_digest_is_of_the_content(file: Path) -> None:
    before, copy = of(file).digest(), file.with_name("copy.csv")
    copy.write_bytes(file.read_bytes())
    assert of(copy).digest() == before
    text = file.read_text(encoding="utf-8").replace("Basel", "Luzern", 1)
    file.write_text(text, encoding="utf-8")
    after = of(file)
    assert after.digest() != before
    assert after.sizes().features == 6
    one, two = (Table.of(people().assign(age=age), "buys").digest() for age in (1, 2))
    assert one != two


def test_a_changed_file_is_another_run(file: Path) -> None:
    config = Config(dataset=of(file))
    before = config_hash(config)
    assert config_hash(config) == before
    assert pickle.loads(pickle.dumps(config)).dataset == config.dataset
    file.write_text(file.read_text(encoding="utf-8").replace("Basel", "Luzern", 1), encoding="utf-8")
    assert config_hash(config) != before


def test_a_path_is_from_the_folder_where_the_command_runs(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    table = Table(path="people.csv", target="buys")
    assert table.path == os.fspath(file)
    monkeypatch.chdir("/")
    assert len(table.digest()) == 16


TEXT = "x,z,y\n1,2,a\n3,4,b\n5,six,a\n7,8,b\n"


@pytest.mark.parametrize(
    ("text", "settings", "line"),
    [
        (TEXT, {"path": "t.csw"}, r"dataset.path=.*/t\.csw: no such file; did you mean t\.csv\?"),
        (TEXT, {"path": None}, "dataset.path=null: expected a file"),
        (TEXT, {"target": None}, "dataset.target=null: expected one of x, z, y"),
        (TEXT, {"target": "yy"}, r"=yy: no such column in t\.csv; expected one of x, z, y; did you mean y\?"),
        (TEXT, {"features": ["x", "u"]}, r"dataset.features=u: no such column in t\.csv; expected one of x, z, y"),
        (TEXT, {"features": ["x", "y"]}, "dataset.features: y is the target"),
        (TEXT, {}, r"dataset.path=t\.csv: row 3, column z: six is not a number; list the column in"),
        (TEXT, {"features": ["x"], "categorical": ["z"]}, "dataset.categorical: z is not one of the columns"),
        (TEXT.replace("b", "a"), {"features": ["x"]}, r"dataset.target=y: all rows are of one class \(a\)"),
        (TEXT.replace("six", ""), {}, r"dataset.path=t\.csv: row 3, column z: the value is missing; use"),
        (TEXT.replace("six", "inf"), {}, r"dataset.path=t\.csv: row 3, column z: expected a number of at most 1e\+38"),
        (TEXT.replace("six", "1e300"), {}, r"row 3, column z: expected a number of at most 1e\+38"),
        (TEXT, {"features": ["x", "x"]}, "dataset.features: x is listed twice"),
        (TEXT.replace("x,z", "x,x"), {}, r"cannot be read as csv \(two columns have the name x\)"),
        # pandas takes the first values as names of rows, or leaves the last away.
        ("x,y\n1,2,a\n3,4,b\n", {}, r"\(rows have more values than the first line has names\)"),
        ("," + TEXT.replace("\n", "\n0,").rstrip("0,"), {}, "column 1 has no name; name the columns"),
        (TEXT.replace("six", "6"), {"split": {"test": "t_more.csv"}}, "no training row is of class c"),
        (TEXT.replace("4,b", "4,"), {"features": ["x"]}, r"row 2, column y: the value to predict is missing; "
                                                         r"use dataset.missing=drop"),
        ("x,y\n", {}, "dataset.path=.*: it has no rows"),
        ("", {}, "dataset.path=.*: the file is empty"),
        (TEXT + "1,2,3,4,5\n", {}, "dataset.path=.*: cannot be read as csv"),
        (TEXT, {"features": ["x"], "shape": [1, 2, 2]}, r"dataset.shape=\[1, 2, 2\]: expected a product of"),
        (TEXT, {"split": "z"}, r"row 1, column z: value 2; expected train, validation or test"),
        (TEXT, {"split": {"test": 1.5}}, "dataset.split.test=1.5: expected a share, 0 or more and below 1, or a file"),
        (TEXT, {"split": {"tests": 0.1}}, "dataset.split.tests: unknown; expected validation and test"),
        (TEXT, {"split": {"test": 0.6, "validation": 0.4}}, "dataset.split: the shares of validation and test add up"),
        (TEXT, {"features": ["x"], "split": {"test": 0.1}}, "dataset.split.test=0.1: too few samples"),
        (TEXT, {"features": ["x"], "task": "numbers"}, r"row 1, column y: a is not a number; use dataset.task=classes"),
        (TEXT, {"path": "t.txt"}, r"expected a file whose name ends in .csv, .parquet, .npz"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, settings: dict[str, Any], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("t.csv", "t.txt"):
        Path(name).write_text(text, encoding="utf-8")
    Path("t_more.csv").write_text("x,z,y\n1,2,c\n", encoding="utf-8")
    values = {"path": "t.csv", "target": "y", "name": "table"} | settings
    with pytest.raises(ConfigError, match=line) as caught:
        load_part("dataset", values, Dataset).sizes()
    assert "\n" not in str(caught.value)


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the same number of rows in all arrays, not x \(3, 2\), y \(4,\)"):
        arrays(np.zeros((3, 2)), np.arange(4))
    np.savez(tmp_path / "t.npz", x=np.array([{}]), y=np.zeros(1))
    with pytest.raises(ConfigError, match="cannot be read as npz"):
        Table(path=str(tmp_path / "t.npz"), target="y").sizes()
    (tmp_path / "no.npz").write_bytes(b"none")
    with pytest.raises(ConfigError, match=r"cannot be read as npz \(it is not an NPZ archive\)"):
        Table(path=str(tmp_path / "no.npz"), target="y").sizes()
    for settings in ({"categorical": ["x"]}, {"split": "x"}):
        with pytest.raises(ConfigError, match=r"column x of given:.*: expected one value a row, not \(2,\)"):
            Table.of({"x": np.ones((4, 2)), "z": np.ones(4), "y": [0, 1, 0, 1]}, "y", **settings).sizes()
    with pytest.raises(ConfigError, match="exist in that process only"):
        Table(path="given:0123456789abcdef", target="y").sizes()


def test_a_class_of_few_rows_is_for_training() -> None:
    # A fifth of one or two rows is none; the sizes that are said are those that are drawn.
    data = arrays(np.arange(43.0)[:, None], np.array([0] * 20 + [1] * 20 + [2, 2] + [3]))
    split = data.load(streams(0), "float32")
    assert split.validation is not None
    assert data.sizes()[2:5] == (27, 8, 8)
    assert [len(part.y) for part in split if part is not None] == [27, 8, 8]
    assert np.bincount(split.train.y).tolist() == [12, 12, 2, 1]
    assert np.bincount(split.validation.y).tolist() == [4, 4]


@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy()])
@pytest.mark.parametrize("values", [[[0.5, 1.5]], [[-1.0, 1.0]]])
def test_numbers_are_no_probabilities(loss: Loss, values: list[list[float]]) -> None:
    settings = RunSettings(
        dataset=Points(inputs=[[1.0]], targets=values),
        architecture=MLP(hidden=[], output=Softmax() if isinstance(loss, CrossEntropy) else Sigmoid()),
        loss=loss,
        budget=Budget(iterations=1),
    )
    with pytest.raises(ConfigError, match=r"targets are numbers, .*; expected classes .* or numbers 0 to 1"):
        train(settings)


@pytest.mark.parametrize(
    ("override", "split"),
    [
        ("dataset.split=part", "part"),
        ("dataset.split=null", None),
        ("dataset.split={test:0.5}", {"validation": 0.2, "test": 0.5}),
        ("dataset.split.validation=0", {"validation": 0, "test": 0.2}),
    ],
)
def test_the_command_line_divides(override: str, split: Any) -> None:
    (config,) = compose([["dataset=table", override]])
    assert isinstance(config.dataset, Table)
    assert config.dataset.split == split
