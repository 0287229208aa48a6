"""A local copy of what a store holds, which asks it only for what may have changed.

A run that has ended does not change: its record and history are kept, and read from here. Each refresh
asks for runs begun or ended since the last one, for those that are or were running, for all of sweeps
that go on or have ended since, and for deleted ones. Once runs of earlier were brought in all are asked for.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nnexp.results.client import Source, search
from nnexp.results.columns import RECORDED
from nnexp.results.records import Record
from nnexp.tracking.locations import database, public
from nnexp.tracking.protocol import BROUGHT_IN

LOG = logging.getLogger(__name__)

FORMAT = "3"

LATE_LOCAL, LATE_SERVER = 60_000, 600_000
"""The largest delay, in ms, at which another process or machine records a run's end, including clock differences."""

ASKED = 100
"""The most run ids in one query."""

LEFT_OUT = 2000
"""Runs that a query leaves out by their ids: MLflow's parser takes 3,300."""


class Index:
    """The copy of one experiment, in a folder: ``records`` by run id, and histories of ended runs."""

    def __init__(self, source: Source, experiment: Any) -> None:
        self.source, self.experiment_id = source, str(experiment.experiment_id)
        # A new store at the same place has the same ids, but another creation time.
        place = f"{FORMAT} {public(source.uri)} {self.experiment_id} {experiment.creation_time}"
        self.identity = f"{place} {experiment.tags.get(BROUGHT_IN, '')}"
        self.folder = _folder(source.uri)
        self.name = hashlib.sha256(place.encode()).hexdigest()[:16]
        self.records: dict[str, Record] = {}
        self.deleted: set[str] = set()
        self.refreshed = 0

    def refresh(self) -> dict[str, Record]:
        """The records as they are now, in order of start."""
        self._read()
        now = time.time_ns() // 1_000_000
        changed = self._changed() if self.refreshed else self._search("")
        gone = {run.info.run_id for run in search(self.source, self.experiment_id, deleted=True)}
        news = {record.run_id: record for record in changed if self.records.get(record.run_id) != record}
        restored = self.deleted - gone
        news |= {record.run_id: record for record in self._by_id(restored)}
        lost = (gone | (restored - set(news))) & set(self.records)
        kept = {name: record for name, record in self.records.items() if name not in lost} | news
        self.records = dict(sorted(kept.items(), key=lambda item: (item[1].started, item[0])))
        stale = bool(news or lost or gone != self.deleted or now - self.refreshed > self._late)
        self.deleted, self.refreshed = gone, now
        if stale:
            self._write()
        return self.records

    def _changed(self) -> Iterable[Record]:
        since = self.refreshed - self._late
        begun = [record for record in self.records.values() if record.started > since]
        ended = [record for record in self.records.values() if record.started <= since < record.ended]
        earlier = f"attributes.start_time <= {since}"
        asked = [
            *self._others(begun, f"attributes.start_time > {since}"),
            *self._others(ended, f"{earlier} and attributes.end_time > {since}"),
            *self._search(f"{earlier} and attributes.status = 'RUNNING'"),
        ]
        found = {record.run_id: record for record in asked}
        running = {name for name, record in self.records.items() if not record.over} - set(found)
        found |= {record.run_id: record for record in self._by_id(running)}
        # A sweep may record its runs long after training, so all are asked for until its end is known.
        for record in list(found.values()):
            known = record.over and self.records.get(record.run_id) == record
            if record.tags.get("nnexp.kind") == "sweep" and not known:
                sweep = record.tags.get("nnexp.sweep_id", "")
                there = [one for one in self.records.values() if one.tags.get("nnexp.sweep_id") == sweep]
                whole = self._others(there, f"tags.`nnexp.sweep_id` = '{sweep}'")
                found |= {child.run_id: child for child in whole}
        return found.values()

    def _others(self, known: Iterable[Record], condition: str) -> Iterable[Record]:
        """The runs that meet a condition, but for known ones that are finished: MLflow takes 1 ms for each."""
        finished = [
            record.run_id
            for record in known
            if record.status == "FINISHED" and record.tags.get("nnexp.kind") == "run"
        ]
        if finished:
            condition += f" and attributes.run_id NOT IN ({_listed(finished[-LEFT_OUT:])})"
        return self._search(condition)

    def _search(self, condition: str) -> Iterable[Record]:
        return (Record.of(run) for run in search(self.source, self.experiment_id, condition))

    def _by_id(self, names: Iterable[str]) -> Iterable[Record]:
        ordered = sorted(names)
        for start in range(0, len(ordered), ASKED):
            yield from self._search(f"attributes.run_id IN ({_listed(ordered[start : start + ASKED])})")

    @property
    def _late(self) -> int:
        return LATE_LOCAL if database(self.source.uri) else LATE_SERVER

    @property
    def _file(self) -> Path:
        return self.folder / f"{self.name}.runs.parquet"

    @property
    def _history_file(self) -> Path:
        return self.folder / f"{self.name}.history.parquet"

    def _read(self) -> None:
        found = _read_table(self._file)
        if found is None:
            return
        about = found.schema.metadata or {}
        if about.get(b"identity", b"").decode() != self.identity:
            return
        try:
            records = [Record.read(text) for text in found.column("record").to_pylist()]
            deleted, refreshed = about[b"deleted"].decode(), int(about[b"refreshed"])
        except (KeyError, TypeError, ValueError):
            # A damaged index is written again.
            return
        self.records = {record.run_id: record for record in records}
        self.deleted, self.refreshed = set(filter(None, deleted.split(","))), refreshed

    def _write(self) -> None:
        about = {
            "identity": self.identity,
            "deleted": ",".join(sorted(self.deleted)),
            "refreshed": str(self.refreshed),
        }
        texts = [record.text() for record in self.records.values()]
        _write_table(
            self._file, pa.table({"record": pa.array(texts, pa.string())}).replace_schema_metadata(about)
        )

    def histories(self) -> tuple[pd.DataFrame, set[str]] | None:
        """The kept rows, with a column ``run_id``, and the ids of their runs; or None.

        A run that ended before its first measurement has no row.
        """
        found = _read_table(self._history_file)
        if found is None:
            return None
        if not {"run_id", *RECORDED} <= set(found.column_names):
            return None
        names = (found.schema.metadata or {}).get(b"runs", b"").decode()
        return found.to_pandas(ignore_metadata=True), set(filter(None, names.split(",")))

    def keep_histories(self, histories: pd.DataFrame, runs: set[str]) -> None:
        """Replace the kept rows of ended runs."""
        columns = {
            name: pa.array(histories[name]).dictionary_encode()
            if name == "run_id"
            else pa.array(histories[name].to_numpy())
            for name in histories.columns
        }
        about = {"runs": ",".join(sorted(runs))}
        _write_table(self._history_file, pa.table(columns).replace_schema_metadata(about))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _folder(uri: str) -> Path:
    """``index/`` beside an SQLite file, so that both are moved together; for a server the user's cache."""
    file = database(uri)
    if file is not None:
        return file.parent / "index"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "nnexp"


def _read_table(file: Path) -> pa.Table | None:
    """The table in a file, None where it is missing or cannot be read."""
    try:
        return pq.read_table(file)
    except FileNotFoundError:
        # There is no index yet.
        return None
    except (OSError, pa.ArrowException) as error:
        LOG.info("%s cannot be read and is written again (%s)", file, error)
        return None


def _write_table(file: Path, table: pa.Table) -> None:
    """Write a file atomically; a folder that cannot be written only costs time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        os.close(handle)
        try:
            pq.write_table(table, name)
            os.replace(name, file)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        LOG.info("%s cannot be written (%s)", file, error)
