"""Checkpoints: the state of a group's runs in a file, so that training continues after its process is lost."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from time import perf_counter
from typing import IO, Any, NamedTuple
from uuid import uuid4

from nnexp.training.group import Group
from nnexp.training.packed import pack, unpack
from nnexp.training.prepare import Prepared

LOG = logging.getLogger(__name__)

FOLDER = "checkpoints"
"""The name of the folder of checkpoints."""

SHARE = 0.02
"""The share of the time that checkpoints may take."""

FORMAT = 1


class Key(NamedTuple):
    """The identity of a run: hashes of config and code, and the iterations between rows."""

    config: str
    code: str
    log_every: int | None


class Checkpoint:
    """The checkpoint of a group in training: one file, written atomically.

    Runs are identified by their keys, so that they can continue in other groups.

    Args:
        folder: created when it is needed.
        keys: of the group's runs.
        seconds: between two checkpoints, more where writing takes longer than :data:`SHARE` of them; None or 0
            for no checkpoint.
    """

    def __init__(self, folder: Path, group: Group, keys: Sequence[Key], seconds: float | None) -> None:
        self._file = folder / f"{uuid4().hex}.npz"
        self._group, self._keys, self._seconds = group, keys, seconds or inf
        self._due = perf_counter() + self._seconds

    def look(self, then: Callable[[], None] | None = None) -> None:
        """Write the checkpoint if it is due; to be called between two blocks of training.

        Args:
            then: called after writing; its time counts as writing.
        """
        begun = perf_counter()
        if begun < self._due:
            return
        self.write()
        if then is not None:
            then()
        now = perf_counter()
        self._due = now + max(self._seconds, (now - begun) / SHARE)

    def write(self) -> None:
        """Write the checkpoint now. A failure is only logged, so that training continues."""
        if self._seconds == inf:
            return
        part = self._file.with_suffix(".part")
        try:
            pairs = zip(self._keys, self._group.runs, strict=True)
            runs = {key: state for key, run in pairs if (state := run.saved()) is not None}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                write(runs, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._file)
            _sync(self._file.parent)
        except TypeError as error:
            LOG.warning(
                "runs of %s cannot be saved in a checkpoint: %s",
                self._group.runs[0].prepared.method.name,
                error,
            )
            self._seconds = inf
        except OSError as error:
            LOG.warning("%s cannot be written (%s)", self._file, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the file when its runs have ended."""
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


def write(runs: Mapping[Key, Mapping[str, Any]], file: IO[bytes]) -> None:
    """Write the saved states of runs.

    Raises:
        TypeError: a state has a value of a type that cannot be saved.
    """
    pack({"format": FORMAT, "runs": [[*key, state] for key, state in runs.items()]}, file)


def read(place: Path) -> dict[Key, dict[str, Any]]:
    """The states that :func:`write` wrote to a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or of another version.
    """
    with open(place, "rb") as file:
        content = unpack(file)
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']}; expected {FORMAT}")
    return {Key(*key): state for *key, state in content["runs"]}


def find(folder: Path) -> tuple[dict[Key, Mapping[str, Any]], list[str]]:
    """The states (:meth:`nnexp.training.run.Run.saved`) in a folder's checkpoints, and messages on damaged files.

    Of a run in several files the state of the last iteration is taken.
    """
    states: dict[Key, Mapping[str, Any]] = {}
    damaged = []
    for place in sorted(folder.glob("*.npz")):
        try:
            runs = read(place)
        except FileNotFoundError:
            continue  # its runs have ended meanwhile
        except (OSError, ValueError) as error:
            damaged.append(f"{place}: {error}")
            continue
        for key, state in runs.items():
            known = states.get(key)
            if known is None or known["iteration"] < state["iteration"]:
                states[key] = state
    return states, damaged


def go_on(
    prepare: Callable[[], Iterable[Prepared]],
    saved: Sequence[Mapping[str, Any] | None],
    keep_ends: bool = False,
) -> Group:
    """A group of prepared runs that continues from their saved states, or starts anew where these do not fit."""
    if any(saved):
        try:
            return Group(list(prepare()), saved, keep_ends=keep_ends)
        except Exception:
            LOG.exception("a checkpoint does not fit its runs, which are trained from the beginning")
    return Group(list(prepare()), keep_ends=keep_ends)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
