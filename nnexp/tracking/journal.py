"""The journal: runs on this machine's disk until their store has them, one append-only file a run.

A record is a header (:data:`HEAD`: magic bytes, length, CRC-32) and its content: a line of JSON with its ``kind``,
then bytes. The file of a run has ``begin``, rows as they come, and at the run's end ``file``, ``model`` and
``arrays``, then ``end``. It is read without pickle. Its size is that of the run's files, and 72 bytes for each row
written before the end. Beside it is, until the run ends, a file with its artifacts at the last checkpoint.
"""

from __future__ import annotations

import io
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.tracking.files import HISTORY_FILE, WEIGHTS_AT, about_rows, history_table, rows_of
from nnexp.tracking.outcome import Outcome
from nnexp.tracking.protocol import DatasetRecord
from nnexp.training.record import History, join

LOG = logging.getLogger(__name__)

FOLDER = "journal"
"""The name of a journal's folder."""

RUN, DONE, SO_FAR, PARENT = ".run", ".done", ".so_far", "sweep.parent"
"""Suffixes of a run's file before and after the store has it, and of the file beside it with the run's artifacts at its
last checkpoint; the name of the parent run's file."""

ENTRY = "nnexp.entry"
"""The tag of a store's run with the key of its file."""

WHOLE = ("iteration", "evaluations")
"""Columns of integers."""

SIGN = b"nxr2"
HEAD = struct.Struct("<4sII")

SCALARS = (
    *("status", "reason", "trace", "started", "ended", "iterations", "evaluations", "seconds"),
    *("tags", "numbers"),
)


class Record(NamedTuple):
    """One record: its JSON, its bytes, and its offset in the file."""

    said: dict[str, Any]
    content: bytes
    place: int

    @property
    def kind(self) -> str:
        """What it is."""
        return str(self.said["kind"])


class Beginning(NamedTuple):
    """The first record of a run; ``started`` in ms since 1970."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    started: int


class Entry(NamedTuple):
    """A run that has ended, with everything to record.

    ``uri`` is the store's as ``tracking.uri`` names it; ``last`` are the tags that the run ends with;
    ``per_decade`` how many of its rows are sent to the store.
    """

    uri: str | None
    experiment: str
    begin: Beginning
    last: dict[str, str]
    per_decade: int | None
    made: Outcome


class Contents(NamedTuple):
    """The content of a file: complete records, the offset of the next one, and notes on incomplete ones."""

    records: list[Record]
    end: int
    notes: list[str]


def framed(kind: str, content: bytes = b"", **said: Any) -> bytes:
    """A record as bytes."""
    payload = json.dumps({"kind": kind, **said}).encode() + b"\n" + content
    return HEAD.pack(SIGN, len(payload), zlib.crc32(payload)) + payload


def append(file: Path, records: Iterable[bytes], sync: bool = False) -> None:
    """Append records, all or none; with ``sync`` they are on the disk when this returns.

    Raises:
        OSError: they cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "ab", buffering=0) as opened:
        before = opened.seek(0, os.SEEK_END)
        try:
            rest = memoryview(b"".join(records))
            while rest:
                rest = rest[opened.write(rest) :]
            if sync:
                os.fsync(opened.fileno())
        except OSError:
            opened.truncate(before)
            raise


def scan(file: Path, start: int = 0) -> Contents:
    """The complete records from the byte ``start`` on. A truncated or damaged one is left out, with a note."""
    with open(file, "rb") as opened:
        opened.seek(start)
        data = opened.read()
    found: list[Record] = []
    notes: list[str] = []
    at = 0
    while at < len(data):
        record, size = _record(data, at, start)
        if record is not None:
            found.append(record)
            at += size
            continue
        following = data.find(SIGN, at + 1)
        while following >= 0 and _record(data, following, start)[0] is None:
            following = data.find(SIGN, following + 1)
        if following < 0:
            notes.append(f"{file}: the last record, at byte {start + at}, is incomplete and is left out")
            break
        notes.append(f"{file}: damaged from byte {start + at} to {start + following}")
        at = following
    return Contents(found, start + at, notes)


def first(file: Path) -> Record | None:
    """The first record of a file, read alone; None if it is incomplete.

    Raises:
        OSError: it cannot be read.
    """
    with open(file, "rb") as opened:
        head = opened.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        return _record(head + opened.read(HEAD.unpack(head)[1]), 0, 0)[0]


def since(file: Path, start: int) -> list[Record]:
    """The complete records of a growing file, after the one that began at ``start - 1``; all for 0."""
    return [record for record in scan(file, max(start - 1, 0)).records if record.place >= start]


def _record(data: bytes, at: int, start: int) -> tuple[Record | None, int]:
    """The record at an offset and its size, None if it is incomplete."""
    if at + HEAD.size > len(data):
        return None, 0
    sign, length, check = HEAD.unpack_from(data, at)
    payload = data[at + HEAD.size : at + HEAD.size + length]
    if sign != SIGN or len(payload) < length or zlib.crc32(payload) != check:
        return None, 0
    line, _, content = payload.partition(b"\n")
    return Record(json.loads(line), content, start + at), HEAD.size + length


def begun(uri: str | None, experiment: str, begin: Beginning, per_decade: int | None) -> bytes:
    """The first record of a run's file."""
    return framed("begin", uri=uri, experiment=experiment, begin=begin, per_decade=per_decade)


def rows_record(rows: History) -> bytes:
    """A record of rows, whose columns are 8-byte numbers."""
    columns = np.stack([np.asarray(column, np.float64) for column in rows.values()])
    return framed("rows", columns.tobytes(), columns=list(rows))


def rows_in(record: Record) -> History:
    """The rows of :func:`rows_record`."""
    names = record.said["columns"]
    columns = zip(names, np.frombuffer(record.content).reshape(len(names), -1), strict=True)
    return History((name, column.astype(np.int64) if name in WHOLE else column) for name, column in columns)


def ended(entry: Entry) -> Iterator[bytes]:
    """The records of a run that has ended."""
    made = entry.made
    yield begun(entry.uri, entry.experiment, entry.begin, entry.per_decade)
    for kind, files in (("file", made.files), ("model", made.model)):
        for path, content in files.items():
            yield framed(kind, content, path=path)
    arrays: dict[str, Any] = {f"image/{step}": image for step, image in made.images}
    if made.example is not None:
        arrays["example"] = made.example
    if arrays:
        out = io.BytesIO()
        np.savez(out, **arrays)
        yield framed("arrays", out.getvalue())
    scalars = {name: getattr(made, name) for name in SCALARS}
    yield framed("end", made=scalars, last=entry.last, dataset=made.dataset)


def read(file: Path) -> Entry:
    """The run in a file; one that has not ended counts as killed, with the rows in the file.

    Raises:
        ValueError: the file has no complete record, or is damaged.
    """
    found, _, notes = scan(file)
    begins = [record for record in found if record.kind == "begin"]
    if not begins:
        raise ValueError(notes[0] if notes else f"{file}: the file has no complete record")
    for note in notes:
        if "damaged" in note:
            raise ValueError(note)
        LOG.warning("%s", note)
    first = begins[-1]
    begin = Beginning(*first.said["begin"])
    # A later attempt replaces an earlier one.
    mine = [record for record in found if record.place >= first.place]
    files = {
        kind: {one.said["path"]: one.content for one in mine if one.kind == kind}
        for kind in ("file", "model")
    }
    images: list[tuple[int, Any]] = []
    example = None
    for record in (one for one in mine if one.kind == "arrays"):
        with np.load(io.BytesIO(record.content), allow_pickle=False) as arrays:
            steps = [name.partition("/")[2] for name in arrays.files if name.startswith("image/")]
            images = [(int(step), arrays[f"image/{step}"]) for step in steps]
            example = arrays["example"] if "example" in arrays.files else None
    history = files["file"].get(HISTORY_FILE)
    rows = (
        join([rows_in(one) for one in found if one.kind == "rows"])
        if history is None
        else rows_of(io.BytesIO(history))
    )
    said = next((one.said for one in mine if one.kind == "end"), None)
    if said is None:
        files["file"] = _so_far(file)
        rows, table = _with_later(files["file"].get(HISTORY_FILE), rows)
        if len(rows["iteration"]):
            files["file"][HISTORY_FILE] = table
        said = _killed(begin, rows)
    dataset = said["dataset"]
    if dataset is not None:
        name, digest, columns, profile, context = dataset
        dataset = DatasetRecord(name, digest, tuple(map(tuple, columns)), profile, context)
    made = Outcome(
        **said["made"], rows=rows, files=files["file"], images=images, model=files["model"], example=example,
        dataset=dataset,
    )  # fmt: skip
    return Entry(
        first.said["uri"], first.said["experiment"], begin, said["last"], first.said["per_decade"], made
    )


def _with_later(table: bytes | None, rows: History) -> tuple[History, bytes]:
    """The rows of a history's file at a checkpoint, and then those of ``rows`` that are later; and a file of all."""
    about = {}
    if table is not None:
        file = io.BytesIO(table)
        first, last = rows_of(file), int(rows_of(file)["iteration"][-1])
        about = about_rows(file) | {WEIGHTS_AT: str(last)}
        later = rows.each(lambda column: column[rows["iteration"] > last])
        # Where no row was sent, nothing says which columns there are.
        rows = join([first, later]) if len(later["iteration"]) else first
    return rows, history_table(rows, about)


def _killed(begin: Beginning, rows: History) -> dict[str, Any]:
    """The last record for a run whose process has ended."""
    last = {name: column[-1].item() if len(column) else 0 for name, column in rows.items()}
    ended = begin.started + round(1000 * last["seconds"])
    reason = "its process has ended"
    scalars: tuple[Any, ...]
    scalars = (
        "killed",
        reason,
        "",
        begin.started,
        ended,
        last["iteration"],
        last["evaluations"],
        last["seconds"],
        {},
        {},
    )
    tags = {"nnexp.status": "killed", "nnexp.reason": reason, "nnexp.iterations": str(last["iteration"])}
    return {"made": dict(zip(SCALARS, scalars, strict=True)), "last": tags, "dataset": None}


def keep_so_far(file: Path, contents: Mapping[str, bytes]) -> None:
    """Keep the artifacts so far of a run in training, beside its file, in place of those kept before.

    Raises:
        OSError: they cannot be written.
    """
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    append(part, (framed("file", content, path=path) for path, content in contents.items()))
    part.replace(file.with_suffix(SO_FAR))


def _so_far(file: Path) -> dict[str, bytes]:
    """What :func:`keep_so_far` kept; nothing of a run that had no checkpoint."""
    try:
        found, _, notes = scan(file.with_suffix(SO_FAR))
    except FileNotFoundError:
        return {}
    for note in notes:
        LOG.warning("%s", note)
    # The rest of a damaged file may not fit together.
    return {} if notes else {one.said["path"]: one.content for one in found}


def has_ended(file: Path) -> bool:
    """Whether the file has the record of its run's end."""
    return any(record.kind == "end" for record in scan(file).records)


def entries(place: Path) -> list[Path]:
    """The files of runs below ``place``, in order, including those with the suffix :data:`DONE`."""
    found = {*place.rglob(f"*{RUN}"), *place.rglob(f"*{DONE}")}
    return sorted(file for file in found if file.parent.name == FOLDER)


def left(folder: Path) -> list[Path]:
    """The files in a folder whose runs are not recorded yet."""
    return sorted(folder.glob(f"*{RUN}"))
