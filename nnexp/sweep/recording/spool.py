"""A folder that workers on this machine share with their command: the flag to stop, and the groups' progress.

Next to it are the journal (runs that the store does not have yet) and the checkpoints of runs in training.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from nnexp.process import writing_to
from nnexp.sweep.identity import config_hash
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Live
from nnexp.tracking import journal, locations
from nnexp.tracking.journal import ENTRY, Beginning, Entry
from nnexp.tracking.outcome import Outcome, per_decade
from nnexp.tracking.plain import flatten
from nnexp.tracking.recorder import last_tags, start_tags
from nnexp.training import checkpoint
from nnexp.training.record import History

LOG = logging.getLogger(__name__)

SYNC_SECONDS = 1.0
"""A run that took as long to train is synced to disk at its end: to train it again would cost more."""


class Spool:
    """A folder that exists while its runs are trained, and next to it the journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stopped = False

    def make(self) -> None:
        """Create the folder, with the flag to continue.

        Raises:
            OSError: it cannot be written.
        """
        with writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._flag.touch()

    @property
    def code(self) -> Path:
        """The copy of the source; a restarted recording process may still import it after training."""
        return self.folder.with_name("code")

    def remove(self) -> None:
        """Remove the folder with its contents."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """Tell all workers to stop, by removing a file: a full disk does not prevent it."""
        self._stopped = True
        try:
            self._flag.unlink(missing_ok=True)
        except OSError as error:
            LOG.warning("%s cannot be removed, so workers do not stop: %s", self._flag, error)

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
        """The entry's outcome, after its run was written to the journal, if this machine can write it.

        So workers write the files of their runs, and the sweep's process gets only numbers.
        """
        made = entry.made
        if not self.folder.is_dir() or made.kept is not None:
            return made
        file = self._file(int(entry.begin.tags["nnexp.job"]))
        try:
            journal.append(file, journal.ended(entry), sync=made.seconds >= SYNC_SECONDS)
        except OSError as error:
            # A worker's warnings go to the terminal; the sweep's process tries once more.
            LOG.info("%s cannot be written: %s", file, error)
            return made
        file.with_suffix(journal.SO_FAR).unlink(missing_ok=True)
        return _kept(made, file)

    def ended(self, job: Trial, tags: dict[str, str]) -> Outcome | None:
        """The outcome that is in the journal already: its worker was lost between writing and returning it.

        To train the job again would record its run twice, for the store may have it by now.
        """
        file = self._file(job.number)
        for place in (file, file.with_suffix(journal.DONE)):
            try:
                entry = journal.read(place) if journal.has_ended(place) else None
            except FileNotFoundError:
                # Nothing was written there: the job's worker was lost earlier.
                continue
            except (OSError, ValueError) as error:
                LOG.warning("%s cannot be read, and its run is trained again: %s", place, error)
                continue
            if (
                entry
                and entry.begin.tags.get(ENTRY) == _entry_key(job, tags)
                and entry.made.status != "killed"
            ):
                return _kept(entry.made, place)
        return None

    def begin(self, job: Trial, tags: dict[str, str], runs: int, started: int) -> None:
        """Write the first record of a run.

        Raises:
            OSError: it cannot be written.
        """
        begin = journal.begun(*_where(job), beginning(job, tags, started), _per_decade(job, runs))
        journal.append(self._file(job.number), [begin])

    def put(self, job: Trial, tags: dict[str, str], runs: int, started: int, rows: History) -> None:
        """Append rows of a run in training; does nothing on a machine without the folder."""
        if not self.folder.is_dir():
            return
        file = self._file(job.number)
        try:
            if not file.exists():
                self.begin(job, tags, runs, started)
            journal.append(file, [journal.rows_record(rows)])
        except OSError as error:
            # The record of the run's end has them again.
            LOG.info("%s cannot be written: %s", file, error)

    def keep_so_far(self, job: Trial, contents: Mapping[str, bytes]) -> None:
        """Keep the artifacts so far of a run in training; after SIGKILL only they are left of it."""
        file = self._file(job.number)
        try:
            journal.keep_so_far(file, contents)
        except OSError as error:
            LOG.info("%s cannot be written: %s", file.with_suffix(journal.SO_FAR), error)

    def _file(self, number: int) -> Path:
        return self.journal / f"{number:06}{journal.RUN}"

    def tell(self, number: int, live: Live) -> None:
        """Write the progress of the group whose first job has this number, replacing the previous one."""
        if not self.folder.is_dir():
            return
        # With another ending: ``glob`` finds names that begin with a dot as well.
        place = self.folder / f"{number:06}.part"
        try:
            place.write_text(json.dumps(live), encoding="utf-8")
            place.rename(self._live(number))
        except OSError as error:
            LOG.warning("%s cannot be written: %s", place, error)

    def over(self, number: int) -> None:
        """Remove the progress that :meth:`tell` wrote."""
        self._live(number).unlink(missing_ok=True)

    def told(self) -> list[Live]:
        """The progress of the groups of this machine, in the order of their jobs."""
        found = []
        for file in sorted(self.folder.glob("*.live")):
            try:
                found.append(Live(*json.loads(file.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                # The group has ended since.
                continue
        return found

    def _live(self, number: int) -> Path:
        return self.folder / f"{number:06}.live"


def _kept(made: Outcome, file: Path) -> Outcome:
    """An outcome without what its file has."""
    last = made.rows.each(lambda column: column[-1:])  # type: ignore[attr-defined]
    return made._replace(rows=last, files={}, images=[], model={}, example=None, kept=str(file))


def _entry_key(job: Trial, tags: dict[str, str]) -> str:
    return f"{tags[ENTRY]}-{job.number}"


def beginning(job: Trial, tags: dict[str, str], started: int) -> Beginning:
    """The first record of a job's run: its params and tags, with the sweep's ``tags``, whose :data:`ENTRY` is the
    command's."""
    own = {"nnexp.config_hash": config_hash(job.config), "nnexp.code_hash": job.code}
    own |= {"nnexp.job": str(job.number), ENTRY: _entry_key(job, tags)}
    return Beginning(
        job.name, flatten(job.config), start_tags(job.config, job.overrides) | tags | own, started
    )


def journal_entry(job: Trial, tags: dict[str, str], runs: int, made: Outcome) -> Entry:
    """A job's run for the journal; ``runs`` is the command's number of runs."""
    begin, ends = beginning(job, tags, made.started), last_tags(made, job.config)
    return Entry(*_where(job), begin, ends, _per_decade(job, runs), made)


def _where(job: Trial) -> tuple[str | None, str]:
    uri = job.config.tracking.uri
    return uri and locations.public(uri), job.config.tracking.experiment


def _per_decade(job: Trial, runs: int) -> int | None:
    return per_decade(job.config.tracking.points, runs)
