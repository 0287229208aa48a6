"""Journals of earlier versions: a folder ``unrecorded/`` with a folder for each run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from nnexp.tracking import journal
from nnexp.tracking.files import HISTORY_FILE, rows_of
from nnexp.tracking.journal import Beginning, Entry
from nnexp.tracking.outcome import Outcome
from nnexp.tracking.protocol import DatasetRecord
from nnexp.training.record import join

FOLDER, TEXT = "unrecorded", "run.json"


def entries(place: Path) -> list[Path]:
    """The runs' folders below ``place``, in order."""
    found = (file.parent for file in place.rglob(TEXT) if file.parents[1].name == FOLDER)
    return sorted(folder for folder in found if not folder.name.startswith("."))


def read(folder: Path) -> Entry:
    """The run in a folder.

    Raises:
        ValueError: it is damaged.
    """
    try:
        said = json.loads((folder / TEXT).read_text("utf-8"))
        images, example = [], None
        if (folder / "arrays.npz").exists():
            with open(folder / "arrays.npz", "rb") as file, np.load(file, allow_pickle=False) as arrays:
                steps = [name.partition("/")[2] for name in arrays.files if name.startswith("image/")]
                images = [(int(step), arrays[f"image/{step}"]) for step in steps]
                example = arrays["example"] if "example" in arrays.files else None
        files, model = _contents(folder / "files"), _contents(folder / "model")
        history = folder / "files" / HISTORY_FILE
        rows = rows_of(history) if history.exists() else join([])
        dataset = said["dataset"]
        if dataset is not None:
            name, digest, columns, profile, context = dataset
            dataset = DatasetRecord(name, digest, tuple(map(tuple, columns)), profile, context)
        made = Outcome(
            **said["made"],
            rows=rows,
            files=files,
            images=images,
            model=model,
            example=example,
            dataset=dataset,
        )
        begin = Beginning(*said["begin"])
        return Entry(None, said["experiment"], begin, said["last"], said["per_decade"], made)
    except Exception as error:
        raise ValueError(f"{folder}: damaged ({type(error).__name__}: {error})") from error


def convert(place: Path) -> tuple[set[Path], list[str]]:
    """Make journals of today's form of those below ``place``; their folders. What is damaged stays, and is said."""
    made: set[Path] = set()
    problems: list[str] = []
    for folder in sorted({entry.parent for entry in entries(place)}):
        target = folder.with_name(journal.FOLDER)
        made.add(target)
        said = folder / "sweep.json"
        if said.exists() and not (target / journal.PARENT).exists():
            experiment, begin = json.loads(said.read_text("utf-8"))
            parent = journal.framed("begin", uri=None, store=None, experiment=experiment, begin=begin)
            journal.append(target / journal.PARENT, [parent])
        for entry in entries(folder):
            try:
                whole = read(entry)
            except ValueError as error:
                problems.append(str(error))
                continue
            journal.append(target / f"{entry.name}{journal.RUN}", journal.ended(whole), sync=True)
            shutil.rmtree(entry)
        if not entries(folder):
            shutil.rmtree(folder)
    return made, problems


def _contents(place: Path) -> dict[str, bytes]:
    files = sorted(one for one in place.rglob("*") if one.is_file())
    return {one.relative_to(place).as_posix(): one.read_bytes() for one in files}
