"""What a journal holds is brought into its store, each run once."""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from nnexp.tracking import journal
from nnexp.tracking.claim import CLAIM
from nnexp.tracking.heartbeat import heartbeat, worked_on
from nnexp.tracking.journal import Beginning, Entry
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.recorder import Thinning, publish

LOG = logging.getLogger(__name__)

PARENT = "sweep.json"
"""The file beside entries that says what their parent run began with, and its experiment."""


class Brought(NamedTuple):
    """How many runs were brought in, how many were there already, and what could not be."""

    runs: int
    there: int
    problems: list[str]


class SweepRuns(Exception):
    """A sweep still runs: it records its journal's entries itself, and removes them at its end."""


def bring_in(open_store: Callable[[str], Any], place: Path) -> Brought:
    """Record the entries below ``place`` and remove them; one that cannot be read or recorded stays.

    A run that was begun for the same job of the same sweep is gone on with, and left alone if it has finished.

    Args:
        open_store: gives the store of an experiment.

    Raises:
        StoreError: a store cannot be opened.
    """
    runs = there = 0
    problems: list[str] = []
    for folder in sorted({entry.parent for entry in journal.entries(place)}):
        with open(folder / ".lock", "a") as lock:
            # Another command may do the same.
            fcntl.flock(lock, fcntl.LOCK_EX)
            parent = _Parent(folder)
            for one in journal.entries(folder):
                try:
                    entry = journal.read(one)
                    store = open_store(entry.experiment)
                    new = _record(store, entry, parent.within(store))
                except SweepRuns as error:
                    problems.append(f"{folder}: {error}")
                    break
                except Exception as error:
                    LOG.debug("%s", one, exc_info=True)
                    problems.append(f"{one}: {reason_of(error)}")
                    continue
                runs, there = runs + new, there + (not new)
                shutil.rmtree(one)
            parent.end()
        if not journal.entries(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return Brought(runs, there, problems)


def _record(store: Any, entry: Entry, parent: str | None) -> bool:
    """Record a run, in one that was begun for it if there is; False if it is there."""
    begin, made = entry.begin, entry.made
    keys = ("nnexp.sweep_id", "nnexp.job") if "nnexp.sweep_id" in begin.tags else (journal.ENTRY,)
    mine = " and ".join(f"tags.`{key}` = '{begin.tags[key]}'" for key in keys)
    found = store.search(f"tags.`nnexp.kind` = 'run' and {mine}")
    if any(run.info.status == "FINISHED" for run in found):
        return False
    if found:
        run = store.run(found[-1].info.run_id)
        run.record(tags=begin.tags)
    else:
        run = store.start(begin.name, {}, begin.tags, parent, begin.started)
    publish(run, made, Thinning(entry.per_decade), entry.last, begin.params)
    return True


class _Parent:
    """The parent run of a folder's entries: found in a store, or begun anew where the store lost it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / PARENT
        self._begun: Any = None

    def within(self, store: Any) -> str | None:
        """The parent's id in a store, None if there is none.

        Raises:
            SweepRuns: another process works on it.
        """
        if not self._file.exists():
            return None
        experiment, text = json.loads(self._file.read_text("utf-8"))
        beginning = Beginning(*text)
        if store.experiment != experiment:
            return None
        sweep = beginning.tags["nnexp.sweep_id"]
        found = store.search(f"tags.`nnexp.kind` = 'sweep' and tags.`nnexp.sweep_id` = '{sweep}'")
        if found:
            run_id, running = str(found[0].info.run_id), found[0].info.status == "RUNNING"
            # Who goes on with a sweep has claimed it already.
            if running and found[0].data.tags.get("nnexp.process") != heartbeat()["nnexp.process"]:
                if process := worked_on(found[0]):
                    raise SweepRuns(f"{process} still works on sweep {sweep}")
                # Whoever was suspended shall not record it again when it wakes up.
                self._begun = store.run(run_id)
                self._begun.record(tags={CLAIM: token_hex(8)})
            return run_id
        self._begun = store.start_parent(*beginning)
        return str(self._begun.run_id)

    def end(self) -> None:
        """End a parent that was begun, or left RUNNING: what is missing of it is for who resumes the sweep."""
        if self._begun is not None:
            try:
                self._begun.finish("KILLED", {"nnexp.status": "killed"})
            except Exception as error:
                # Resuming ends it, and so does --end-stale.
                LOG.warning("the end of the sweep's parent run could not be recorded (%s)", reason_of(error))


def write_parent(folder: Path, experiment: str, beginning: Beginning) -> None:
    """Leave in a journal what a sweep's parent run began with.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PARENT).write_text(json.dumps([experiment, beginning]), encoding="utf-8")
