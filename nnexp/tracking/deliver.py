"""Delivery of a journal to its store, each run once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from secrets import token_hex
from time import perf_counter
from typing import Any

from nnexp.tracking import journal
from nnexp.tracking.claim import CLAIM, Claim
from nnexp.tracking.heartbeat import HEARTBEAT_SECONDS, worked_on
from nnexp.tracking.journal import DONE, ENTRY, PARENT, RUN, Beginning, Entry
from nnexp.tracking.left import clear
from nnexp.tracking.locations import StoreError, StoreLost, SweepTaken
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent_file import TRIES, ParentFile, parent_record, see_that_it_answers
from nnexp.tracking.recorder import Thinning, publish

LOG = logging.getLogger(__name__)

KEPT_BYTES = 1 << 28
"""Most bytes of recorded runs' files kept until the sweep's end, in case the store is lost."""


class _Live:
    """A run in training: how far its file was read, and what the store has of it."""

    def __init__(self, uri: str | None, experiment: str, begin: Beginning, thinning: Thinning) -> None:
        self.uri, self.experiment, self.begin, self.thinning = uri, experiment, begin, thinning
        self.params: dict[str, str] | None = begin.params
        self.run: Any = None
        self.tried = False


class Delivery:
    """Sends the runs in a folder's files to the stores.

    Args:
        open_store: opens the store at an address, of an experiment.
        tell: called with each event: ``opened``, ``recorded``, ``kept``, with names and texts.
        live: whether the folder's sweep still runs: then unended runs are sent as they grow, else they were killed.
        again: whether the parent run already exists.
    """

    def __init__(
        self,
        folder: Path,
        open_store: Callable[[str | None, str], Any],
        tell: Callable[..., None],
        live: bool = False,
        again: bool = False,
    ) -> None:
        self._again = again
        self.folder, self._open, self._tell, self._is_live = folder, open_store, tell, live
        self.parent: Any = None
        self._home: Any = None
        self._stores: set[Any] = set()
        self._sweep = ""
        self._claim: Claim | None = None
        self._home_key: tuple[str | None, str] | None = None
        self._there: dict[str, Any] = {}
        self._finished: set[tuple[str, str]] = set()
        self._read_to: dict[Path, int] = {}
        self._live: dict[Path, _Live] = {}
        self._failures: dict[Path, int] = {}
        self._aside: dict[Path, str] = {}
        self._to_fail: list[tuple[Any, str]] = []
        self._parent_file: ParentFile | None = None
        self._done: deque[Path] = deque()
        self._done_bytes = 0
        self._beat = perf_counter()
        self._began_parent = self._claimed = False

    def open(self) -> None:
        """Open the store and start or find the sweep's parent run, if there is one.

        Raises:
            StoreError: the store cannot be opened, or a process works on the sweep that is not live.
            SweepTaken: another process has continued the sweep.
        """
        said = parent_record(self.folder / PARENT, "begin")
        if said is None:
            return
        begin = Beginning(*said["begin"])
        self._home_key = said["uri"], said["experiment"]
        store = self._home = self._open(said["store"], said["experiment"])
        self._stores.add(store)
        if "nnexp.sweep_id" not in begin.tags:
            self._parent_file = ParentFile(self.folder / PARENT, store, None)
            self._tell("opened", uri=store.uri, experiment_id=store.experiment_id, run_id="")
            return
        sweep = self._sweep = f"tags.`nnexp.sweep_id` = '{begin.tags['nnexp.sweep_id']}'"
        found = store.search(f"tags.`nnexp.kind` = 'sweep' and {sweep}")
        if self._again and not found:
            raise StoreLost("the sweep's parent run is no longer in the store")
        self._began_parent = not found
        if found:
            runs = store.search(f"tags.`nnexp.kind` = 'run' and {sweep}")
            self._there = {run.data.tags[ENTRY]: run for run in runs if ENTRY in run.data.tags}
            self._finished = {_what(run.data.tags) for run in runs if run.info.status == "FINISHED"}
        else:
            # Runs of an earlier store are lost with it.
            for file in self.folder.glob(f"*{DONE}"):
                file.rename(file.with_suffix(RUN))
        self.parent = store.run(found[0].info.run_id) if found else store.start_parent(*begin)
        self._parent_file = ParentFile(self.folder / PARENT, store, self.parent)
        if not self._is_live:
            self._claim_at_rest(found)
        else:
            store.claim = self._claim = Claim(self.parent, begin.tags[CLAIM])
            self._claim.check()
        self._tell("opened", uri=store.uri, experiment_id=store.experiment_id, run_id=self.parent.run_id)

    def _claim_at_rest(self, found: list[Any]) -> None:
        """Check that no process works on the sweep, and claim it: a suspended process then records no more of it, nor
        does this one once another process continues it.

        Raises:
            StoreError: another process works on it.
        """
        if self._home.claim is not None:
            # A process that continues a sweep has already claimed it.
            return
        if found:
            parent = self._home.client.get_run(self.parent.run_id)
            if process := worked_on(parent):
                raise StoreError(f"{process} still works on sweep {parent.data.tags['nnexp.sweep_id']}")
            self._began_parent = parent.info.status == "RUNNING"
        token = token_hex(8)
        self.parent.record(tags={CLAIM: token})
        self._home.claim, self._claimed = Claim(self.parent, token), True

    def look(self) -> bool:
        """Send what is new since the last call; return whether the sweep has ended and is recorded completely.

        Raises:
            StoreLost, SweepTaken: recording is no longer allowed.
            Exception: the store refused something, which should be tried again.
        """
        self._alive()
        # Read before the files are listed, so that all runs that ended before the sweep are among them.
        last, refused = None, list[Exception]()
        with _noted(refused):
            last = None if self._parent_file is None else self._parent_file.send()
        for file in (one for one in journal.left(self.folder) if one not in self._aside):
            # A failure of one run does not delay the others.
            with _noted(refused):
                self._look_at(file)
            self._alive()
        if refused:
            raise refused[0]
        if last is not None and self._parent_file is not None:
            self._fail()
            if self.parent is not None:
                self._end_rest()
                self._parent_file.end(last)
        return last is not None

    def _end_rest(self) -> None:
        """End runs of the sweep that are still RUNNING in the store.

        Those whose file cannot be delivered have failed; others were created twice, because the store's response was
        lost, and are deleted.
        """
        known = {self.parent.run_id, *(run.run_id for run, _ in self._to_fail)}
        kept = {file.stem.lstrip("0") or "0": why for file, why in self._aside.items()}
        try:
            for store in self._stores:
                for run in store.search(f"{self._sweep} and attributes.status = 'RUNNING'"):
                    run_id, why = run.info.run_id, kept.get(run.data.tags.get("nnexp.job", ""))
                    if why is not None and run_id not in known:
                        self._to_fail.append((store.run(run_id), f"not recorded ({why})"))
                    elif run_id not in known:
                        LOG.warning("run %s was created twice and is deleted", run_id)
                        store.client.delete_run(run_id)
            self._fail()
        except StoreError:
            raise
        except Exception as error:
            # Resuming deletes them too.
            LOG.warning("the search for runs that were created twice failed (%s)", reason_of(error))

    def _look_at(self, file: Path) -> None:
        new = journal.since(file, self._read_to.get(file, 0))
        if any(record.kind == "end" for record in new) or not self._is_live or self._failures.get(file):
            self._deliver(file)
        elif new:
            self._go_on(file, new)
            self._read_to[file] = new[-1].place + 1

    def _alive(self) -> None:
        if self._claim is not None and perf_counter() - self._beat >= HEARTBEAT_SECONDS:
            self._beat = perf_counter()
            self._claim.beat()

    def _store(self, uri: str | None, experiment: str) -> Any:
        if (uri, experiment) == self._home_key:
            return self._home
        store = self._open(uri, experiment)
        if self._home is not None:
            store.claim = self._home.claim
        self._stores.add(store)
        return store

    def _deliver(self, file: Path) -> None:
        """Send a run that has ended."""
        try:
            entry = journal.read(file)
        except OSError:
            raise
        except Exception as error:
            known = isinstance(error, ValueError)
            self._set_aside(file, str(error).removeprefix(f"{file}: ") if known else reason_of(error))
            return
        try:
            run_id, url = self._record(file, entry)
        except (SweepTaken, StoreLost):
            raise
        except Exception as error:
            self._failures[file] = self._failures.get(file, 0) + 1
            LOG.warning("%s could not be recorded (%s)", file.name, reason_of(error))
            see_that_it_answers(self._store(entry.uri, entry.experiment))
            if self._failures[file] < TRIES:
                raise
            self._end_as_failed(file, error)
            self._set_aside(file, reason_of(error))
            return
        self._tell("recorded", name=file.stem, run_id=run_id, url=url)
        self._live.pop(file, None)
        self._limit(file.rename(file.with_suffix(DONE)))

    def _set_aside(self, file: Path, why: str) -> None:
        self._aside[file] = why
        self._tell("kept", name=file.stem, why=why)

    def _end_as_failed(self, file: Path, error: Exception) -> None:
        """Mark a run in the store as incomplete, if it exists there."""
        live = self._live.pop(file, None)
        if live is not None and live.run is not None:
            self._to_fail.append((live.run, f"not recorded ({reason_of(error)})"))
            self._fail()

    def _fail(self) -> None:
        while self._to_fail:
            run, why = self._to_fail[-1]
            try:
                run.finish("FAILED", {"nnexp.status": "failed", "nnexp.reason": why})
            except SweepTaken:
                raise
            except Exception as error:
                # Tried once more at the end of the sweep.
                LOG.warning("run %s could not be ended (%s)", run.run_id, reason_of(error))
                return
            self._to_fail.pop()

    def _record(self, file: Path, entry: Entry) -> tuple[str, str]:
        store = self._store(entry.uri, entry.experiment)
        live = self._live.get(file)
        if live is None:
            live = self._live[file] = _Live(
                entry.uri, entry.experiment, entry.begin, Thinning(entry.per_decade)
            )
        last: dict[str, str] | None = entry.last
        if live.run is None:
            there = self._find(store, live)
            if there is not None and there.info.status == "FINISHED":
                return str(there.info.run_id), store.run_url(there.info.run_id)
            if there is None:
                # Tags cost almost nothing when the run is created, but a query each later.
                tags = entry.begin.tags | entry.last
                live.run = store.start(
                    entry.begin.name, {}, tags, self._parent_in(store), entry.begin.started
                )
                last = None
            else:
                live.run = store.run(there.info.run_id)
                self._claim_alone(live)
                store.check()
                live.run.record(tags=entry.begin.tags)
        # A copy: if this fails, it is done again.
        publish(live.run, entry.made, copy(live.thinning), last, live.params)
        return live.run.run_id, store.run_url(live.run.run_id)

    def _claim_alone(self, live: _Live) -> None:
        """See to it that a run outside sweeps is no longer recorded here once another process continues it."""
        if self._is_live and self.parent is None and (token := live.begin.tags.get(CLAIM)):
            live.run.store.claim = self._claim = Claim(live.run, token)

    def _find(self, store: Any, live: _Live) -> Any:
        """The store's run for a file, if created before, perhaps by a request whose response was lost."""
        tags, unsure = live.begin.tags, live.tried
        live.tried = True
        key = tags.get(ENTRY)
        if key in self._there:
            return self._there[key]
        found: list[Any] = []
        sweep, config = tags.get("nnexp.sweep_id", ""), tags.get("nnexp.config_hash", "")
        if key is None or (not self._is_live and _what(tags) in self._finished):
            # From an earlier version, or trained again by a process that continued the sweep.
            found = store.search(
                f"tags.`nnexp.sweep_id` = '{sweep}' and tags.`nnexp.config_hash` = '{config}'"
            )
        elif unsure or store is not self._home or self.parent is None:
            found = store.search(f"tags.`{ENTRY}` = '{key}'")
        return next((run for run in found if run.info.status == "FINISHED"), found[-1] if found else None)

    def _parent_in(self, store: Any) -> str | None:
        return None if self.parent is None or store is not self._home else str(self.parent.run_id)

    def _go_on(self, file: Path, new: list[journal.Record]) -> None:
        """Send rows of a run in training."""
        for record in new:
            if record.kind == "begin" and file not in self._live:
                said = record.said
                begin = Beginning(*said["begin"])
                self._live[file] = _Live(said["uri"], said["experiment"], begin, Thinning(said["per_decade"]))
        live = self._live[file]
        if live.run is None:
            store = self._store(live.uri, live.experiment)
            there = self._find(store, live)
            live.run = (
                store.start(live.begin.name, {}, live.begin.tags, self._parent_in(store), live.begin.started)
                if there is None
                else store.run(there.info.run_id)
            )
            self._claim_alone(live)
        for record in new:
            if record.kind == "rows":
                thinning = copy(live.thinning)
                live.run.record(thinning.select(journal.rows_in(record)), live.params)
                # Unsent rows are sent with the run's end.
                live.thinning, live.params = thinning, None

    def forget(self) -> None:
        """Delete runs that have not ended: the sweep's new process does not know them."""
        for live in self._live.values():
            if live.run is not None:
                try:
                    live.run.store.client.delete_run(live.run.run_id)
                except Exception as error:
                    LOG.warning("run %s could not be deleted (%s)", live.run.run_id, reason_of(error))

    def close(self) -> None:
        """Remove the folder if every run of it is in its store; end a parent that was created for it."""
        for store in () if self._is_live else self._stores:
            try:
                store.tell_of_earlier_runs()
            except Exception as error:
                LOG.warning("results that were read before may lack runs (%s)", reason_of(error))
        if self._began_parent and not self._is_live and parent_record(self.folder / PARENT, "end") is None:
            try:
                self.parent.finish("KILLED", {"nnexp.status": "killed"})
            except SweepTaken:
                # Its new process ends it.
                pass
            except Exception as error:
                # Resuming ends it, and so does --end-stale.
                LOG.warning("the sweep's parent run could not be ended (%s)", reason_of(error))
        if self._claimed:
            for store in self._stores:
                store.claim = None
        if not journal.left(self.folder) and not (self._parent_file and self._parent_file.missing):
            clear(self.folder)

    def _limit(self, file: Path) -> None:
        """Limit the files of recorded runs to :data:`KEPT_BYTES`; the oldest are removed."""
        self._done.append(file)
        self._done_bytes += file.stat().st_size
        while self._done_bytes > KEPT_BYTES:
            oldest = self._done.popleft()
            self._done_bytes -= oldest.stat().st_size
            oldest.unlink()


@contextmanager
def _noted(errors: list[Exception]) -> Iterator[None]:
    """A context that adds its error to a list, unless the whole store failed."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        errors.append(error)


def _what(tags: Mapping[str, str]) -> tuple[str, str]:
    """What determines a run's results: the hashes of its config and of the code."""
    return tags.get("nnexp.config_hash", ""), tags.get("nnexp.code_hash", "")
