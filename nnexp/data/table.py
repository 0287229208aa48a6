"""The user's own data: a table in a file, a data frame, or arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from nnexp.config.places import did_you_mean
from nnexp.config.settings import ConfigError, plain, setting
from nnexp.data import columns as files
from nnexp.data import shares
from nnexp.data.dataset import LARGEST, Dataset, Generators, Sizes, Split

Array = np.ndarray[Any, Any]

MOST_CLASSES = 20
"""A target of whole numbers with more distinct values than this is numeric, unless dataset.task says otherwise."""

NAMES_SHOWN = 12

NAMELESS = "Unnamed: "
"""The beginning of the names that pandas gives to columns without one."""


class Rows(NamedTuple):
    """All rows of a table as numbers: inputs ``x (N, F)``, NaN where missing; ``y`` classes ``(N,)`` or ``(N, C)``.

    ``parts (N,)`` says where each row belongs, ``shape`` is a sample's where it is an image, ``labels`` the classes'
    own names.
    """

    x: Array
    y: Array
    parts: Array
    shape: tuple[int, ...]
    labels: list[str] | None


@dataclass(frozen=True)
class Table(Dataset):
    """Rows of a CSV, Parquet or NPZ file: columns to predict from, and one to predict.

    An NPZ file's arrays are columns, of one row a sample each; an array of more axes is as many columns, and the only
    one to predict from may hold images ``(N, channels, height, width)``.
    """

    path: str | None = setting(None, "a file with the ending .csv, .parquet or .npz")
    target: str | None = setting(None, "the column to predict")
    features: list[str] | None = setting(None, "columns to predict from; null: all others")
    categorical: list[str] = setting([], "columns to predict from that are categories, encoded one-hot")
    task: Literal["auto", "classes", "numbers"] = setting(
        "auto", f"type of the target; auto: classes if texts or up to {MOST_CLASSES} whole numbers"
    )
    split: dict[str, Any] | str | None = setting(
        shares.DEFAULT, "shares or files of validation and test, or a column of train, validation, test"
    )
    standardise: bool | Literal["all"] = setting(
        True, "scale inputs to mean 0 and standard deviation 1 of the training data; all: numeric targets too"
    )
    missing: Literal["refuse", "mean", "drop"] = setting(
        "refuse", "missing inputs are an error, become the mean of the training data, or the row is dropped"
    )
    shape: list[int] | None = setting(None, "shape of an image sample, as [1, 8, 8]; null: the array's")

    def __post_init__(self) -> None:
        super().__post_init__()
        # The process, or another, may change its working directory later.
        if self.path is not None:
            object.__setattr__(self, "path", files.absolute(self.path))
        if isinstance(self.split, dict):
            entries = shares.checked(self.split, files=True)
            absolute = {
                name: files.absolute(value) for name, value in entries.items() if isinstance(value, str)
            }
            object.__setattr__(self, "split", self.split | absolute)

    @classmethod
    def of(cls, data: Any, target: str, **settings: Any) -> Self:
        """A table from a pandas data frame, or from arrays by name; it exists in this process only.

        Args:
            settings: those of a conf file, such as ``split`` and ``categorical``.

        Raises:
            ConfigError: unequal numbers of rows, or a setting that is not allowed.
        """
        return cls.from_settings(path=files.give(data), target=target, **settings)

    def sizes(self) -> Sizes:
        rows = self._rows()
        given = np.bincount(rows.parts[rows.parts != shares.SHARED], minlength=3)
        shared = rows.parts == shares.SHARED
        if shared.any():
            kinds = np.zeros(len(rows.y), np.int64) if rows.labels is None else rows.y
            given = given + shares.counts(
                self._shares(), np.unique(kinds[shared], return_counts=True)[1]
            ).sum(axis=1)
        features = rows.shape or rows.x.shape[1]
        outputs = rows.y.shape[1] if rows.labels is None else len(rows.labels)
        train, validation, test = given.tolist()
        return Sizes(features, outputs, train, validation, test, rows.labels is not None)

    def load(self, draws: Generators, dtype: Any) -> Split:
        rows = self._rows()
        classes = None if rows.labels is None else rows.y
        parts = rows.parts
        if (parts == shares.SHARED).any():
            parts = shares.drawn(parts, self._shares(), classes, draws["split"])
        targets = self.standardise == "all" and classes is None
        return shares.divided(rows.x, rows.y, parts, dtype, bool(self.standardise), targets)

    def digest(self) -> str:
        if self.path is None:
            return ""
        total = " ".join(files.digest(path, name) for name, path in self._files())
        return total if len(self._files()) == 1 else hashlib.sha256(total.encode()).hexdigest()[:16]

    def labels(self) -> list[str] | None:
        """The classes' names in order; None where the target is numbers."""
        return self._rows().labels

    def _shares(self) -> dict[str, float]:
        entries = shares.checked(self.split, files=True) if isinstance(self.split, dict) else {}
        return {name: value for name, value in entries.items() if not isinstance(value, str)}

    def _files(self) -> list[tuple[str, str]]:
        """Each file with its setting, that of training first."""
        if self.path is None:
            raise ConfigError("dataset.path=null: expected a file with the ending .csv, .parquet or .npz")
        own = self.split if isinstance(self.split, dict) else {}
        held_out = [(f"dataset.split.{name}", own[name]) for name in shares.PARTS[1:]
                    if isinstance(own.get(name), str)]  # fmt: skip
        return [("dataset.path", self.path), *held_out]

    def _rows(self) -> Rows:
        return _rows(json.dumps(plain(self)), self.digest())


def arrays(x: Any, y: Any, **settings: Any) -> Table:
    """A dataset of arrays: inputs ``x (N, F)``, or images ``(N, channels, height, width)``, and targets ``y (N, ...)``.

    Raises:
        ConfigError: unequal numbers of rows, or a setting that is not allowed.
    """
    return Table.of({"x": x, "y": y}, target="y", **settings)


@lru_cache(4)
def _rows(settings: str, digest: str) -> Rows:
    """The rows of the table with these settings, whose files have this digest."""
    values = json.loads(settings)
    values.pop("_target_")
    return _Reading(Table.from_settings(**values)).rows()


class _Reading:
    """A table's files read as one; errors name file, row and column."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.files = table._files()
        self.columns = [files.read(path, name) for name, path in self.files]
        self.lengths = [len(next(iter(own.values()))) for own in self.columns]

    def rows(self) -> Rows:
        table = self.table
        if table.target is None:
            raise ConfigError(f"dataset.target=null: expected one of {_listed(list(self.columns[0]))}")
        target, names = self._column(table.target, "dataset.target"), self._features()
        keep, parts = np.ones(len(target), bool), self._parts()
        pieces, shape = [], ()
        for name in names:
            column = self._column(name, "dataset.features")
            if name in table.categorical:
                piece = self._one_hot(self._one_a_row(column, name))
            else:
                piece = self._numbers(column, name)
            shape = column.shape[1:] if len(names) == 1 and column.ndim > 2 else ()
            pieces.append(piece)
        x = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)
        gaps = [
            np.isnan(piece).any(axis=1) if np.issubdtype(piece.dtype, np.floating) else ~keep
            for piece in pieces
        ]
        absent = _absent(target)
        if table.missing == "drop":
            keep &= ~absent & ~np.any(gaps, axis=0)
            if not keep.any():
                raise ConfigError("dataset.missing=drop: every row has a missing value")
        elif absent.any():
            where = self._place(absent, table.target)
            raise ConfigError(f"{where}: the value to predict is missing; use dataset.missing=drop")
        elif table.missing == "refuse":
            for name, gap in zip(names, gaps, strict=True):
                if gap.any():
                    raise ConfigError(
                        f"{self._place(gap, name)}: the value is missing; use dataset.missing=mean or drop"
                    )
        y, labels = self._target(target, keep)
        parts, x = parts[keep], x[keep] if not keep.all() else x
        training = np.isin(parts, (shares.TRAIN, shares.SHARED))
        if not training.any():
            raise ConfigError("dataset.split: no row is left for training")
        if labels is not None and (unknown := ~np.isin(np.arange(len(labels)), y[training])).any():
            raise ConfigError(
                f"dataset.target={table.target}: no training row is of class {labels[int(unknown.argmax())]}"
            )
        return Rows(x, y, parts, self._shape(x.shape[1], shape), labels)

    def _shape(self, features: int, of_array: tuple[int, ...]) -> tuple[int, ...]:
        given = self.table.shape
        if given is not None and prod(given) != features:
            raise ConfigError(f"dataset.shape={given}: expected a product of {features}, the feature count")
        return tuple(given) if given is not None else of_array

    def _features(self) -> list[str]:
        table = self.table
        known = list(self.columns[0])
        if table.features is None:
            column = table.split if isinstance(table.split, str) else None
            names = [name for name in known if name not in (table.target, column)]
            if nameless := [name for name in names if name.startswith(NAMELESS)]:
                # Often this is the row number, which may tell the target.
                at = known.index(nameless[0]) + 1
                raise ConfigError(
                    f"dataset.path={_file(self.files[0][1])}: column {at} has no name; "
                    "name the columns to predict from in dataset.features"
                )
        else:
            names = list(table.features)
        if not names:
            raise ConfigError("dataset.features: expected one column or more beside the target")
        if again := [name for at, name in enumerate(names) if name in names[:at]]:
            raise ConfigError(f"dataset.features: {again[0]} is listed twice")
        if table.target in names:
            raise ConfigError(
                f"dataset.features: {table.target} is the target; it cannot be predicted from itself"
            )
        for name in table.categorical:
            if name not in names:
                raise ConfigError(f"dataset.categorical: {name} is not one of the columns to predict from"
                                  f"{did_you_mean(name, names)}")  # fmt: skip
        return names

    def _column(self, name: str, setting: str) -> Any:
        """A column of all files, one after another."""
        found = []
        for (_, path), own in zip(self.files, self.columns, strict=True):
            if name not in own:
                known = list(own)
                raise ConfigError(
                    f"{setting}={name}: no such column in {_file(path)}; expected one of {_listed(known)}"
                    f"{did_you_mean(name, known)}"
                )
            found.append(own[name])
        if len(found) == 1:
            return found[0]
        if isinstance(found[0], np.ndarray):
            if len({one.shape[1:] for one in found}) > 1:
                raise ConfigError(f"{setting}={name}: expected arrays of the same shape in all files")
            return np.concatenate(found)
        import pandas as pd

        return pd.concat(found, ignore_index=True)

    def _parts(self) -> Array:
        split, total = self.table.split, sum(self.lengths)
        if isinstance(split, str):
            column = self._column(split, "dataset.split")
            words = self._one_a_row(column, split).astype(str).to_numpy()
            known = np.isin(words, shares.PARTS)
            if not known.all():
                place = self._place(~known, split)
                raise ConfigError(f"{place}: value {words[~known][0]}; expected train, validation or test")
            return np.array([shares.PARTS.index(word) for word in words], np.int64)
        first = shares.SHARED if self.table._shares() else shares.TRAIN
        names = [name.rpartition(".")[2] for name, _ in self.files[1:]]
        parts = [first, *(shares.PARTS.index(name) for name in names)]
        return np.repeat(np.array(parts, np.int64), self.lengths) if total else np.empty(0, np.int64)

    def _one_a_row(self, column: Any, name: str) -> Any:
        """The column, checked to have one value a row."""
        if isinstance(column, np.ndarray):
            raise ConfigError(
                f"column {name} of {_file(self.files[0][1])}: expected one value a row, not {column.shape[1:]}"
            )
        return column

    def _numbers(self, column: Any, name: str) -> Array:
        """A column as numbers ``(N, k)``, NaN where missing."""
        if isinstance(column, np.ndarray):
            if column.dtype.kind not in "biuf":
                raise ConfigError(
                    f"column {name} of {_file(self.files[0][1])}: expected numbers, not {column.dtype}"
                )
            numbers = column.reshape(len(column), -1)
        else:
            import pandas as pd

            values = pd.to_numeric(column, errors="coerce")
            texts = (values.isna() & column.notna()).to_numpy() | (column.dtype.kind in "mMc")
            if texts.any():
                text = column[int(texts.argmax())]
                advice = (
                    "use dataset.task=classes to read it as a class"
                    if name == self.table.target
                    else "list the column in dataset.categorical, or leave it out of dataset.features"
                )
                raise ConfigError(f"{self._place(texts, name)}: {text!s} is not a number; {advice}")
            numbers = values.to_numpy(np.float64, na_value=np.nan)[:, None]
        too_large = (np.abs(numbers) > LARGEST).any(axis=1)
        if too_large.any():
            raise ConfigError(f"{self._place(too_large, name)}: expected a number of at most {LARGEST:.0e}")
        return numbers

    def _one_hot(self, column: Any) -> Array:
        """A column of categories, one-hot ``(N, k)`` in sorted order, NaN where missing."""
        import pandas as pd

        values = pd.Categorical(_sortable(column))
        table = (values.codes[:, None] == np.arange(len(values.categories))).astype(np.float64)
        table[values.codes < 0] = np.nan
        return table

    def _target(self, column: Any, keep: Array) -> tuple[Array, list[str] | None]:
        """Classes ``(N,)`` with their names, or numbers ``(N, C)``."""
        table = self.table
        assert table.target is not None
        values = column[keep] if isinstance(column, np.ndarray) else column[keep].reset_index(drop=True)
        if table.task == "numbers" or (table.task == "auto" and not _classes(values)):
            return self._numbers(column, table.target)[keep].astype(np.float64), None
        if isinstance(values, np.ndarray):
            raise ConfigError(
                f"dataset.target={table.target}: expected one class a row, not {values.shape[1:]}"
            )
        import pandas as pd

        kinds = pd.Categorical(_sortable(values))
        names = [str(name) for name in kinds.categories]
        if len(names) < 2:
            only = f"all rows are of one class ({names[0]}); expected two or more"
            raise ConfigError(f"dataset.target={table.target}: {only}")
        return kinds.codes.astype(np.int64), names

    def _place(self, rows: Any, column: str) -> str:
        """File, row and column of the first row that is true, for an error."""
        at = int(np.argmax(rows))
        for (name, path), length in zip(self.files, self.lengths, strict=True):
            if at < length:
                return f"{name}={_file(path)}: row {at + 1}, column {column}"
            at -= length
        raise IndexError(at)


def _classes(values: Any) -> bool:
    """Whether a column holds classes: texts, booleans, or few distinct whole numbers."""
    if isinstance(values, np.ndarray):
        return False
    if values.dtype.kind not in "iuf":
        return True
    distinct = values.unique()
    return len(distinct) <= MOST_CLASSES and bool((distinct == np.round(distinct)).all())


def _sortable(column: Any) -> Any:
    """A column of categories whose values can be sorted: all of one type, else as texts."""
    kinds = {type(value) for value in column.dropna().unique().tolist()}
    if kinds <= {int, float, bool}:
        whole = column.dropna()
        return (
            column.astype("Int64") if column.dtype.kind == "f" and (whole == whole.round()).all() else column
        )
    return column.map(str, na_action="ignore")


def _absent(column: Any) -> Any:
    if isinstance(column, np.ndarray):
        flat = column.reshape(len(column), -1)
        return np.isnan(flat).any(axis=1) if flat.dtype.kind == "f" else np.zeros(len(flat), bool)
    missing: Array = column.isna().to_numpy()
    return missing


def _file(path: str) -> str:
    """A file's name without its folders."""
    return path if path.startswith(files.GIVEN) else Path(path).name


def _listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
