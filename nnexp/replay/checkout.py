"""The source code that a run was made with, written to a folder from git's commit and the recorded changes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from nnexp.config.error import ConfigError
from nnexp.replay.recorded import source_of
from nnexp.results.artifacts import read_artifact
from nnexp.results.client import Source
from nnexp.sweep.identity import joined_hash, package_hash
from nnexp.tracking.locations import conceal

PACKAGE = "nnexp"


def checkout(source: Source, run: Any, folder: Path) -> list[str]:
    """Write the source code of a run (of MLflow) to a new folder, and return lines on what was written.

    It consists of the commit, from the repository of this package or of the working directory, the recorded
    changes, and the files of parts from outside with their conf files.

    Raises:
        ConfigError: the folder is not empty, or the source is not recorded or its commit not available.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--checkout {folder}: expected a new folder, or an empty one")
    import json

    where = source.client, run.info.run_id, run.info.artifact_uri
    environment = read_artifact(*where, "environment.json", lambda file: json.loads(file.read_text("utf-8")))
    git, code = (environment or {}).get("git"), run.data.tags.get("nnexp.code_hash", "")
    recorded = source_of(source, run)
    said = []
    if git:
        _write_commit(git["commit"], folder)
        said.append(f"{folder}: commit {git['commit']}")
        if git.get("dirty"):
            said[0] += _with_changes(recorded.get(f"{git.get('patch')}.patch"), folder)
    outside = {
        path.partition("/")[2]: content for path, content in recorded.items() if path.startswith(f"{code}/")
    }
    for place, content in outside.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)
    if outside:
        said.append(f"{folder}: {', '.join(outside)}")
    if not git:
        version = ((environment or {}).get("packages") or {}).get(PACKAGE, "of an unknown version")
        line = (
            f"run {run.info.run_id}: it was trained with {PACKAGE} {version}, and no git commit is recorded"
        )
        if not outside:
            raise ConfigError(line)
        return [*said, line]
    parts = {place: folder / place for place in sorted(outside) if place.endswith(".py")}
    now = joined_hash(package_hash((folder / PACKAGE).resolve()), parts)
    same = "is the recorded one" if now == code else f"is {now}, and {code} is recorded"
    return [*said, f"the hash of this code {same}"]


def _with_changes(patch: bytes | None, folder: Path) -> str:
    """Apply the recorded changes, and return a text about it."""
    if patch is None:
        return "; the code had changes that are not recorded"
    # Passwords in addresses are masked in the patch, also in unchanged lines.
    names = re.findall(rb"^--- a/(.*)$", patch, re.MULTILINE)
    for file in (folder / os.fsdecode(name) for name in names):
        text = file.read_bytes().decode("utf-8", "surrogateescape")
        if conceal(text) != text:
            file.write_bytes(conceal(text).encode("utf-8", "surrogateescape"))
    # Git must not use a repository around the folder.
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    try:
        subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            cwd=folder, input=patch, capture_output=True, check=True, env=alone,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"") or str(error).encode()
        return f"; the recorded changes do not apply ({reason.decode('utf-8', 'replace').splitlines()[0]})"
    return " with the recorded changes"


def _write_commit(commit: str, folder: Path) -> None:
    """Write the tree of a commit.

    Raises:
        ConfigError: git is missing, or no repository at hand has the commit.
    """
    reason = ""
    for place in (Path(__file__).resolve().parents[2], Path.cwd()):
        try:
            done = subprocess.run(
                ["git", "-C", str(place), "archive", "--format=tar", commit], capture_output=True, check=True
            )
        except OSError as error:
            raise ConfigError(
                f"--checkout {folder}: git is not installed or cannot be run ({error.strerror})"
            ) from error
        except subprocess.CalledProcessError as error:
            reason = " ".join(error.stderr.decode("utf-8", "replace").split())
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tree:
            tree.extractall(folder, filter="data")
        return
    raise ConfigError(
        f"--checkout {folder}: run it in a clone of nnexp's repository that has commit {commit} ({reason})"
    )
