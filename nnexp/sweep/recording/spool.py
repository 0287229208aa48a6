"""A folder that workers on this machine share with their sweep: rows as they come, and the word to stop.

Beside it lie the journal, what has ended until its store has it, and the checkpoints of what goes on.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.process import writing_to
from nnexp.sweep.identity import config_hash
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Live
from nnexp.tracking import journal
from nnexp.tracking.journal import Beginning, Entry
from nnexp.tracking.outcome import Outcome, per_decade
from nnexp.tracking.plain import flatten
from nnexp.tracking.recorder import last_tags, start_tags
from nnexp.training import checkpoint
from nnexp.training.record import History

Array = np.ndarray[Any, Any]
LOG = logging.getLogger(__name__)


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
        self._stopped = False

    def make(self) -> None:
        """Make the folder, with the word to go on.

        Raises:
            OSError: it cannot be written.
        """
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._flag.touch()

    def remove(self) -> None:
        """Remove the folder with all that is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Tell all workers to end what they do; a full disk lets a file be removed, not made."""
        self._stopped = True
        try:
            self._flag.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s cannot be removed, so that workers go on: %s", self._flag, error)

    @property
    def stopped(self) -> bool:
        """Whether workers were told to stop; never on a machine without the folder."""
        return self._stopped or (self.folder.is_dir() and not self._flag.exists())

    @property
    def _flag(self) -> Path:
        return self.folder / "going"

    @property
    def journal(self) -> Path:
        """The folder of entries."""
        return self.folder.parent / journal.FOLDER

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder.parent / checkpoint.FOLDER

    def keep(self, entry: Entry) -> Outcome:
        """The entry's outcome with its files in the journal, if this machine has one that can be written.

        So workers write them, and who records moves them.

        Raises:
            OSError: the journal cannot be written.
        """
        made = entry.made
        if not self.folder.is_dir() or (made.folder is not None and Path(made.folder).exists()):
            return made
        with writing_to(self.journal):
            return journal.write(self.journal / f"{int(entry.begin.tags['nnexp.job']):06}", entry)

    def put(self, started: int, parts: Sequence[tuple[int, History]]) -> None:
        """Leave rows by the job's number; nothing on a machine that does not have the folder."""
        if not parts or not self.folder.is_dir():
            return
        arrays: dict[str, Any] = {
            f"{number}/{name}": column for number, rows in parts for name, column in rows.items()
        }
        name = f"{parts[0][0]:06}-{os.getpid()}-{self._count:06}"
        self._count += 1
        place = self.folder / f".{name}"
        try:
            with open(place, "wb") as file:
                np.savez(file, started=np.int64(started), **arrays)
            place.rename(self.folder / f"{name}.npz")
        except OSError as error:
            # They are sent once more when their runs have ended; a worker's warnings go to the terminal.
            LOG.info("%s cannot be written: %s", place, error)
            place.unlink(missing_ok=True)

    def take(self) -> Iterator[Spooled]:
        """The rows that were left since the last call."""
        for file in sorted(self.folder.glob("*.npz")):
            with np.load(file, allow_pickle=False) as arrays:
                found: dict[int, History] = {}
                for key in arrays.files:
                    number, _, name = key.partition("/")
                    if name:
                        found.setdefault(int(number), History())[name] = arrays[key]
                for at in sorted(found):
                    yield Spooled(at, int(arrays["started"]), found[at])
            file.unlink()

    def tell(self, number: int, live: Live) -> None:
        """Leave word of how far the group is whose first job has this number, in place of what was said before."""
        if not self.folder.is_dir():
            return
        place = self.folder / f".{number:06}.live"
        try:
            place.write_text(json.dumps(live), encoding="utf-8")
            place.rename(self._live(number))
        except OSError as error:
            LOG.warning("%s cannot be written: %s", place, error)

    def over(self, number: int) -> None:
        """Take back what :meth:`tell` said."""
        self._live(number).unlink(missing_ok=True)

    def told(self) -> list[Live]:
        """How far groups are, in the order of their jobs; those alone of this machine."""
        found = []
        for file in sorted(self.folder.glob("*.live")):
            try:
                found.append(Live(*json.loads(file.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                # The group has ended meanwhile.
                continue
        return found

    def _live(self, number: int) -> Path:
        return self.folder / f"{number:06}.live"


def beginning(job: Trial, tags: dict[str, str], started: int) -> Beginning:
    """What a job's run begins with, beside the sweep's ``tags``."""
    own = {"nnexp.config_hash": config_hash(job.config), "nnexp.code_hash": job.code}
    own["nnexp.job"] = str(job.number)
    return Beginning(
        job.name, flatten(job.config), start_tags(job.config, job.overrides) | tags | own, started
    )


def journal_entry(job: Trial, tags: dict[str, str], runs: int, made: Outcome) -> Entry:
    """A job's run for the journal; ``runs`` is how many the command has."""
    tracking = job.config.tracking
    begin = beginning(job, tags, made.started)
    return Entry(
        tracking.experiment, begin, last_tags(made, job.config), per_decade(tracking.points, runs), made
    )
