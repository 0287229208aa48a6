"""The environment of a run: all that may change a bit of its results besides config and data.

Versions, the C library, BLAS with its kernels and threads, the processor, variables, the state of the source.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.network.blas import core_name
from nnexp.process import blas
from nnexp.tracking.source import git_state

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
    "cmaes",
)

VARIABLES = ("OPENBLAS_", "NPY_", "MKL_", "BLIS_")
"""Prefixes of variables that BLAS and NumPy read; the number of threads is recorded by itself."""

CPUINFO = Path("/proc/cpuinfo")
"""Linux's file with the processor's name."""


def environment() -> dict[str, Any]:
    """Versions, machine, BLAS with its threads, and git's state, as plain data for JSON."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "libc": " ".join(platform.libc_ver()),
        "packages": _versions(),
        "blas": _blas(),
        "threads": _threads(),
        "variables": {
            name: os.environ[name]
            for name in sorted(os.environ)
            if name.startswith(VARIABLES) and not name.endswith("_NUM_THREADS")
        },
        "git": git_state(),
    }


def environment_tags(values: dict[str, Any]) -> dict[str, str]:
    """The part of :func:`environment` that is useful in a search, as tags."""
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
            # Optional packages may be missing.
            continue
    return found


@cache
def _blas() -> dict[str, str]:
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) | {"kernels": core_name()}
    return {key: str(blas[key]) for key in ("name", "version", "kernels") if blas.get(key)}


@cache
def _processor() -> dict[str, Any]:
    """The processor's name, and its instruction sets for which NumPy has optimized loops."""
    name = platform.processor()
    try:
        lines = [line.partition(":") for line in CPUINFO.read_text(encoding="utf-8").splitlines()]
        name = next(value.strip() for key, _, value in lines if key.strip() == "model name")
    except (OSError, StopIteration):
        # Another system, or a processor without a name.
        pass
    config: Any = np.show_config(mode="dicts")
    return {"name": name, "features": config.get("SIMD Extensions", {}).get("found", [])}


def _threads() -> int | None:
    """Threads that BLAS uses now."""
    return max((pool["num_threads"] for pool in blas().info()), default=None)
