"""Large data that processes of one machine share: memory-mapped files, written by one and read by all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from nnexp.data.dataset import Data, Split, whole_of

Array = np.ndarray[Any, Any]
LOG = logging.getLogger(__name__)

LEAST_BYTES = 1 << 24
"""Smaller data are not written to a file: loading them is fast."""

_folder: list[Path] = []


class Drawn(NamedTuple):
    """Data, and the states before and after of the random streams that they were drawn from."""

    split: Split
    before: dict[str, Any]
    after: dict[str, Any]


def share_in(folder: Path) -> None:
    """Share all data that this process loads from now on, through files in ``folder``, made when needed."""
    _folder[:] = [folder]


def shared(key: str, states: dict[str, Any], load: Callable[[], Drawn]) -> Drawn:
    """The result of ``load``, from files if these exist.

    Args:
        key: of the dataset's settings, content and dtype.
        states: of all streams now.
    """
    if not _folder:
        return load()
    place = _folder[0] / hashlib.sha256(key.encode()).hexdigest()[:16]
    try:
        with _locked(place):
            return _read(place, states) or _write(place, load())
    except OSError as error:
        LOG.warning("%s cannot be written (%s): each process loads its own copy of the data", place, error)
        return load()


def beside(x: Array, name: str, shape: tuple[int, ...], write: Callable[[Array], None]) -> Array:
    """An array computed from ``x``, of its dtype; in a file beside that of ``x`` if ``x`` is memory-mapped.

    Args:
        write: fills an array of this ``shape``.
    """
    file = getattr(getattr(x.base, "base", None), "filename", None)
    if file is not None:
        place = Path(f"{file}.{name}.npy")
        try:
            with _locked(place.with_suffix("")):
                if not place.exists():
                    part = place.with_name(f".{uuid4().hex}")
                    opened = np.lib.format.open_memmap(part, "w+", x.dtype, shape)
                    write(opened)
                    opened.flush()
                    part.rename(place)
            return _mapped(place)
        except OSError as error:
            LOG.warning(
                "%s cannot be written (%s): each process makes its own copy of the array", place, error
            )
    array = np.empty(shape, x.dtype)
    write(array)
    return array


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place.with_name(f"{place.name}.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _mapped(file: Path) -> Array:
    # A plain array: slices of a mapped one are slower.
    return np.asarray(np.load(file, mmap_mode="r"))


def _read(place: Path, states: dict[str, Any]) -> Drawn | None:
    """The data in one of a key's folders that were drawn from streams in these states."""
    for file in sorted(place.glob("*/loaded.json")):
        said = json.loads(file.read_text("utf-8"))
        if all(states[name] == state for name, state in said["before"].items()):
            data: list[Data | None] = []
            for part in said["parts"]:
                x, y = (_mapped(file.parent / f"{part}.{name}.npy") for name in "xy")
                data.append(Data(x[:-1], y))
            by_name = dict(zip(said["parts"], data, strict=True))
            return Drawn(Split(**by_name), said["before"], said["after"])
    return None


def _write(place: Path, loaded: Drawn) -> Drawn:
    """Write large data to files, and return them mapped; small data unchanged."""
    split, before, after = loaded
    parts = {name: data for name, data in split._asdict().items() if data is not None}
    wholes = {name: whole for name, data in parts.items() if (whole := whole_of(data.x)) is not None}
    if sum(data.x.nbytes for data in parts.values()) < LEAST_BYTES or len(wholes) < len(parts):
        return loaded
    part = place / f".{uuid4().hex}"
    part.mkdir(parents=True)
    for name, data in parts.items():
        np.save(part / f"{name}.x.npy", wholes[name])
        np.save(part / f"{name}.y.npy", data.y)
    text = json.dumps({"parts": list(parts), "before": before, "after": after})
    (part / "loaded.json").write_text(text, encoding="utf-8")
    part.rename(place / str(len(os.listdir(place))))
    return _read(place, before) or loaded
