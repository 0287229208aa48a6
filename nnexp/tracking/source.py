"""The source of runs: git's commit, uncommitted changes as a patch, and files from outside nnexp.

A run's ``environment.json`` names commit and patch. What is not in the commit is recorded once for a command, with a
single run or with a sweep's parent: ``source/PATCH.patch``, and below ``source/CODE/``, for each ``nnexp.code_hash`` of
runs with parts from outside, the files of these parts and the folders of added config groups.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nnexp.config.modules import outside_files
from nnexp.config.places import conf, folders
from nnexp.config.settings import kinds_of
from nnexp.tracking.locations import conceal

LOG = logging.getLogger(__name__)

SOURCE_BYTES = 1 << 20
"""Most bytes of a patch, and of the files of one code, that are recorded."""

FOLDER = "source"
"""The name of the folder of artifacts."""


@cache
def git_state(folder: Path | None = None) -> dict[str, Any] | None:
    """Commit, dirty flag and the hash of the :func:`changes` of the source in ``folder``, and of conf files.

    ``folder`` is nnexp's own without one. None where git does not track it.
    """
    folder = folder or Path(__file__).resolve().parents[1]
    try:
        # A package installed inside another repository is not that repository's source.
        _git(folder, "ls-files", "--error-unmatch", ".")
        commit = _git(folder, "rev-parse", "HEAD").strip()
        dirty = bool(_git(folder, "status", "--porcelain", "--", *_places(folder)).strip())
    except (OSError, subprocess.SubprocessError):
        # No git, no repository, or one that does not track it.
        return None
    patch = changes(folder) if dirty else ""
    return {"commit": commit, "dirty": dirty} | ({"patch": _hash(patch)} if patch else {})


@cache
def changes(folder: Path | None = None) -> str:
    """Uncommitted changes of the source in ``folder`` and of conf files, as a patch with passwords masked.

    It includes new Python and conf files. It is empty without changes, and, with a warning, if it cannot be made or is
    longer than :data:`SOURCE_BYTES`.
    """
    folder = folder or Path(__file__).resolve().parents[1]
    try:
        text = conceal(_patch(folder))
    except (OSError, subprocess.SubprocessError) as error:
        LOG.warning("changes of the source cannot be recorded (%s)", error)
        return ""
    return text if _fits(len(text.encode("utf-8", "surrogateescape")), "changes of the source") else ""


def source_files(config: Any, code: str) -> dict[str, bytes]:
    """By path, the source files to record for a run with this config, whose code has the hash ``code``."""
    found = {}
    state = git_state()
    if state and "patch" in state:
        found[f"{FOLDER}/{state['patch']}.patch"] = changes().encode("utf-8", "surrogateescape")
    outside: Mapping[str, Path] = outside_files(kinds_of(config))
    if outside:
        own = {place: _masked(file) for place, file in outside.items()}
        for added in folders()[:-1]:
            # The tree that they are written to has its own conf.
            name = added.name if added.name != "conf" else "conf_added"
            files = sorted(added.rglob("*.yaml"))
            own |= {f"{name}/{file.relative_to(added).as_posix()}": _masked(file) for file in files}
        if _fits(sum(map(len, own.values())), "files of parts from outside nnexp"):
            found |= {f"{FOLDER}/{code}/{place}": content for place, content in own.items()}
    return found


class Sources:
    """Source files of a sweep's runs, from its start until they are recorded with its parent."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._noted: set[str] = set()

    def note(self, configs: Mapping[str, Any]) -> None:
        """Keep the current :func:`source_files` of configs, by the hash of their code."""
        for code in configs.keys() - self._noted:
            self._files |= source_files(configs[code], code)
            self._noted.add(code)

    def record(self, parent: Any) -> None:
        """Record unrecorded files with a parent run, if there is one; the runs do not depend on them."""
        if parent is None or not self._files:
            return
        from nnexp.tracking.outcome import reason_of

        files, self._files = self._files, {}
        try:
            parent.log_files(files)
        except Exception as error:
            LOG.warning("the source could not be recorded with the sweep (%s)", reason_of(error))


def _fits(size: int, what: str) -> bool:
    if size > SOURCE_BYTES:
        LOG.warning("%s are not recorded: they have %d bytes, allowed are %d", what, size, SOURCE_BYTES)
    return size <= SOURCE_BYTES


def _masked(file: Path) -> bytes:
    return conceal(file.read_bytes().decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _places(folder: Path) -> list[str]:
    """Patterns of the files that runs depend on."""
    return [str(place) for place in dict.fromkeys((folder, conf())) if place.is_dir()]


def _patch(folder: Path) -> str:
    """The difference from the commit, made without changing the repository's index and objects."""
    places = _places(folder)
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--full-name", "--", *places)
    wanted = [f":/{name}" for name in new.split("\0") if name.endswith((".py", ".yaml"))]
    index, objects = (
        _git(folder, "rev-parse", "--path-format=absolute", "--git-path", name).strip()
        for name in ("index", "objects")
    )
    with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
        shutil.copy2(index, f"{place}/index")
        own = {"GIT_INDEX_FILE": f"{place}/index", "GIT_OBJECT_DIRECTORY": place}
        own["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = objects
        _git(folder, "add", "--update", "--", *places, **own)
        if wanted:
            _git(folder, "add", "--", *wanted, **own)
        return _git(folder, "diff", "--cached", "--binary", "--no-ext-diff", "HEAD", "--", *places, **own)


def _git(folder: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True, timeout=30, check=True, env=os.environ | variables,
    )  # fmt: skip
    return done.stdout.decode("utf-8", "surrogateescape")
