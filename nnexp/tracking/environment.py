"""What a run ran on: versions, BLAS and its threads, and the state of the source."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.process import blas

PACKAGES = (
    "nnexp",
    "numpy",
    "nnfs",
    "mlflow",
    "mlflow-skinny",
    "hydra-core",
    "omegaconf",
    "pandas",
    "pyarrow",
)


def environment() -> dict[str, Any]:
    """Versions, machine, BLAS with its threads, git commit, as plain data for JSON."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": _versions(),
        "blas": _blas(),
        "threads": _threads(),
        "git": git_state(),
    }


def environment_tags(values: dict[str, Any]) -> dict[str, str]:
    """The part of :func:`environment` that is worth searching for, as tags."""
    tags = {
        "nnexp.python": str(values["python"]),
        "nnexp.numpy": str(values["packages"].get("numpy", "unknown")),
        "nnexp.version": str(values["packages"].get("nnexp", "unknown")),
        "nnexp.blas": " ".join(str(part) for part in values["blas"].values()) or "unknown",
        "nnexp.threads": str(values["threads"]),
    }
    git = values["git"]
    if git:
        tags["nnexp.git_commit"] = tags["mlflow.source.git.commit"] = str(git["commit"])
        tags["nnexp.git_dirty"] = str(git["dirty"]).lower()
    return tags


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # Packages of extras may be missing.
            continue
    return found


@cache
def _blas() -> dict[str, str]:
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return {key: str(blas[key]) for key in ("name", "version") if blas.get(key)}


def _threads() -> int | None:
    """Threads that BLAS uses now."""
    return max((pool["num_threads"] for pool in blas().info()), default=None)


@cache
def git_state(folder: Path | None = None) -> dict[str, Any] | None:
    """Commit and dirty flag of the source in ``folder`` (nnexp's own); None where git does not track it."""
    folder = folder or Path(__file__).resolve().parents[1]
    try:
        # An installed package inside somebody's repository is not that repository's source.
        _git(folder, "ls-files", "--error-unmatch", ".")
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        # No git, no repository, or one that does not track it.
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
