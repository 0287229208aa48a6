"""Runs on this machine's disk from their end until their store has them, readable without pickle.

An entry is a folder: ``run.json``, what the run leaves below ``files/``, and where there are any ``model/``
and images in ``arrays.npz``. It appears whole: it is written under another name, then renamed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from nnexp.tracking import files
from nnexp.tracking.outcome import Outcome
from nnexp.tracking.protocol import DatasetRecord
from nnexp.training.record import join

FOLDER = "unrecorded"
"""The name of folders of entries; ``sweep.json`` in it says what the sweep's parent run began with."""

ARRAYS = "arrays.npz"

ENTRY = "nnexp.entry"
"""The tag by which a run without a sweep is found."""

FORMAT = 1

SCALARS = (
    "status",
    "reason",
    "trace",
    "started",
    "ended",
    "iterations",
    "evaluations",
    "seconds",
    "tags",
    "numbers",
)


class Beginning(NamedTuple):
    """What a run begins with; ``started`` in ms since 1970."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    started: int


class Entry(NamedTuple):
    """A run that has ended, with all that its store is to have of it.

    ``last`` are the tags that it ends with; ``per_decade`` how many of its rows the store is sent.
    """

    experiment: str
    begin: Beginning
    last: dict[str, str]
    per_decade: int | None
    made: Outcome


def write(folder: Path, entry: Entry) -> Outcome:
    """Write an entry in place of one that is there; the outcome with its files in the entry.

    Raises:
        OSError: it cannot be written.
    """
    made = entry.made
    part = folder.with_name(f".{folder.name}-{uuid4().hex}")
    try:
        part.mkdir(parents=True)
        files.write(part / "files", made.files)
        files.write(part / "model", made.model)
        arrays: dict[str, Any] = {f"image/{step}": image for step, image in made.images}
        if made.example is not None:
            arrays["example"] = made.example
        if arrays:
            with open(part / ARRAYS, "wb") as file:
                np.savez(file, **arrays)
        text = {
            "format": FORMAT, "experiment": entry.experiment, "begin": entry.begin, "last": entry.last,
            "per_decade": entry.per_decade, "made": {name: getattr(made, name) for name in SCALARS},
            "dataset": made.dataset,
        }  # fmt: skip
        (part / "run.json").write_text(json.dumps(text), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made._replace(files={}, folder=str(folder / "files"))


def read(folder: Path) -> Entry:
    """The entry in a folder.

    Raises:
        ValueError: it is damaged, or of another version.
    """
    try:
        text = json.loads((folder / "run.json").read_text("utf-8"))
        if text["format"] != FORMAT:
            raise ValueError(f"format {text['format']}, expected {FORMAT}")
        images, example = [], None
        if (folder / ARRAYS).exists():
            with open(folder / ARRAYS, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                steps = [name.partition("/")[2] for name in arrays.files if name.startswith("image/")]
                images = [(int(step), arrays[f"image/{step}"]) for step in steps]
                example = arrays["example"] if "example" in arrays.files else None
        history = folder / "files" / files.HISTORY_FILE
        rows = files.rows_of(history) if history.exists() else join([])
        place = folder / "model"
        found = sorted(one for one in place.rglob("*") if one.is_file())
        model = {one.relative_to(place).as_posix(): one.read_bytes() for one in found}
        dataset = text["dataset"]
        if dataset is not None:
            name, digest, columns, profile, context = dataset
            dataset = DatasetRecord(name, digest, tuple(map(tuple, columns)), profile, context)
        made = Outcome(
            **text["made"], rows=rows, files={}, images=images, model=model, example=example, dataset=dataset,
            folder=str(folder / "files"),
        )  # fmt: skip
        return Entry(text["experiment"], Beginning(*text["begin"]), text["last"], text["per_decade"], made)
    except Exception as error:
        raise ValueError(f"{folder}: damaged ({type(error).__name__}: {error})") from error


def entries(place: Path) -> list[Path]:
    """The entries below ``place``, in order."""
    found = (file.parent for file in place.rglob("run.json") if file.parents[1].name == FOLDER)
    return sorted(folder for folder in found if not folder.name.startswith("."))


def drop(place: Path, numbers: Collection[int]) -> int:
    """Remove the entries of these jobs, and the folder if it is empty then; how many are left."""
    for number in numbers:
        shutil.rmtree(place / f"{number:06}", ignore_errors=True)
    left = len(entries(place))
    if not left:
        shutil.rmtree(place, ignore_errors=True)
    return left
