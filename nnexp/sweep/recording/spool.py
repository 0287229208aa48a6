"""A folder that workers on this machine share with their sweep: rows as they come, and the word to stop."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np

from nnexp.tracking import files
from nnexp.tracking.outcome import Outcome
from nnexp.training.record import History

Array = np.ndarray[Any, Any]


class Spooled(NamedTuple):
    """New rows of the job ``number``, whose training began at ``started`` (ms since 1970)."""

    number: int
    started: int
    rows: History


class Spool:
    """Files that appear whole: written under another name, then renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def make(self) -> None:
        """Make the folder, without a word to stop from earlier."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._flag.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder with all that is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Tell all workers to end what they do."""
        self._flag.touch()

    @property
    def stopped(self) -> bool:
        """Whether workers were told to stop."""
        return self._flag.exists()

    @property
    def _flag(self) -> Path:
        return self.folder / "stop"

    def keep(self, number: int, made: Outcome) -> Outcome:
        """The outcome of the job ``number`` with its files in a folder here, if this machine has one.

        So workers write them, and who records moves them.
        """
        if not made.files or not self.folder.is_dir():
            return made
        place = self.folder / "files" / f"{number:06}-{uuid4().hex}"
        files.write(place, made.files)
        return made._replace(files={}, folder=str(place))

    def put(self, started: int, parts: Sequence[tuple[int, History]]) -> None:
        """Leave rows by the job's number; nothing on a machine that does not have the folder."""
        if not parts or not self.folder.is_dir():
            return
        arrays: dict[str, Any] = {
            f"{number}/{name}": column for number, rows in parts for name, column in rows._asdict().items()
        }
        name = f"{parts[0][0]:06}-{os.getpid()}-{self._count:06}"
        self._count += 1
        place = self.folder / f".{name}"
        with open(place, "wb") as file:
            np.savez(file, started=np.int64(started), **arrays)
        place.rename(self.folder / f"{name}.npz")

    def take(self) -> Iterator[Spooled]:
        """The rows that were left since the last call."""
        for file in sorted(self.folder.glob("*.npz")):
            with np.load(file, allow_pickle=False) as arrays:
                numbers = {int(key.split("/")[0]) for key in arrays.files if "/" in key}
                for number in sorted(numbers):
                    columns = (arrays[f"{number}/{name}"] for name in History._fields)
                    yield Spooled(number, int(arrays["started"]), History(*columns))
            file.unlink()
