"""Columns by name, of a file or given in Python, read once for each content."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.config.places import did_you_mean, folders
from nnexp.config.settings import ConfigError

Array = np.ndarray[Any, Any]
Columns = Mapping[str, Any]
"""By name, of N rows each: a pandas series, or an array ``(N, ...)`` of two axes or more."""

GIVEN = "given:"
"""The beginning of the path of data that were given in Python; their digest follows."""

FORMATS = (".csv", ".parquet", ".npz")

_given: dict[str, Columns] = {}


def absolute(path: str) -> str:
    """A file's absolute path; the path of given data unchanged.

    A relative path is looked for in the working directory, then in the conf folders.
    """
    if path.startswith(GIVEN):
        return path
    given = Path(path).expanduser()
    places = (folder / given for folder in (Path.cwd(), *folders()))
    return os.path.abspath(next((place for place in places if place.is_file()), given))


def give(data: Any) -> str:
    """Keep a data frame, or arrays by name, in this process, and return a path for them."""
    columns = _columns(data, "the data")
    total = hashlib.sha256()
    for name, column in columns.items():
        content = _bytes(column)
        total.update(f"{name}\0{column.dtype}{column.shape}{len(content)}\0".encode())
        total.update(content)
    path = GIVEN + total.hexdigest()[:16]
    _given.setdefault(path, columns)
    return path


def digest(path: str, setting: str = "dataset.path") -> str:
    """A hash of a file's bytes, sixteen hexadecimal digits.

    Raises:
        ConfigError: there is no such file.
    """
    return path.removeprefix(GIVEN) if path.startswith(GIVEN) else _digest(path, _state(path, setting))


def read(path: str, setting: str = "dataset.path") -> Columns:
    """The columns of a file, or of given data.

    Raises:
        ConfigError: there is no such file, or it is not of the format that its name says, or it is empty.
    """
    if path.startswith(GIVEN):
        if path not in _given:
            raise ConfigError(
                f"{setting}={path}: data given in Python exist in that process only; save them as a file and "
                f"give its path"
            )
        return _given[path]
    return _read(path, _state(path, setting), setting)


def _state(path: str, setting: str) -> tuple[int, ...]:
    """Modification time, size and inode, which change when the file does."""
    try:
        found = os.stat(path)
    except OSError:
        folder, name = os.path.split(path)
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        raise ConfigError(f"{setting}={path}: no such file{did_you_mean(name, names)}") from None
    if not stat.S_ISREG(found.st_mode):
        # Reading /dev/zero, or a pipe that nobody writes to, never ends.
        raise ConfigError(f"{setting}={path}: expected a regular file")
    return found.st_mtime_ns, found.st_size, found.st_ino


@lru_cache(256)
def _digest(path: str, state: tuple[int, ...]) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


@lru_cache(4)
def _read(path: str, state: tuple[int, ...], setting: str) -> Columns:
    described, kind = f"{setting}={path}", Path(path).suffix.lower()
    if kind not in FORMATS:
        raise ConfigError(f"{described}: expected a file whose name ends in {', '.join(FORMATS)}")
    if not state[1]:
        raise ConfigError(f"{described}: the file is empty")
    import pandas as pd

    try:
        if kind == ".npz":
            data: Any = _arrays(path)
        else:
            data = _csv(path) if kind == ".csv" else pd.read_parquet(path)
    except Exception as error:  # each reader has errors of its own
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(f"{described}: cannot be read as {kind[1:]} ({reason})") from error
    return _columns(data, described)


def _arrays(path: str) -> dict[str, Array]:
    # For other files NumPy's error advises to load them as a pickle.
    if not zipfile.is_zipfile(path):
        raise ValueError("it is not an NPZ archive")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _csv(path: str) -> Any:
    """A CSV file as a data frame; faults that pandas repairs silently are errors.

    Raises:
        ValueError: two columns of one name, or rows with more values than there are names.
    """
    import pandas as pd

    names = pd.read_csv(path, header=None, nrows=1, dtype=str, skipinitialspace=True).iloc[0].dropna()
    if names.duplicated().any():
        raise ValueError(f"two columns have the name {names[names.duplicated()].iloc[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # Without index_col the first column of rows that are too long would be no column, and names move by one.
            return pd.read_csv(path, skipinitialspace=True, index_col=False)
        except pd.errors.ParserWarning as error:
            raise ValueError("rows have more values than the first line has names") from error


def _columns(data: Any, described: str) -> Columns:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        columns = {str(name): data[name].reset_index(drop=True) for name in data}
        if len(columns) < data.shape[1]:
            raise ConfigError(f"{described}: expected a different name for each column")
    else:
        arrays = {str(name): np.asarray(values) for name, values in data.items()}
        if flat := [name for name, array in arrays.items() if array.ndim == 0]:
            raise ConfigError(
                f"{described}: array {flat[0]} is a single value; expected one row for each sample"
            )
        columns = {
            name: pd.Series(array) if array.ndim == 1 else array.copy() for name, array in arrays.items()
        }
    lengths = {name: len(column) for name, column in columns.items()}
    if not lengths or not max(lengths.values()):
        raise ConfigError(f"{described}: it has no rows")
    if len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{name} {column.shape}" for name, column in columns.items())
        raise ConfigError(f"{described}: expected the same number of rows in all arrays, not {shapes}")
    return columns


def _bytes(column: Any) -> bytes:
    if isinstance(column, np.ndarray):
        return np.ascontiguousarray(column).tobytes()
    import pandas as pd

    return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()
