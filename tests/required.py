"""Programs and packages that a bare machine may lack: their tests are skipped, unless they are required."""

from __future__ import annotations

import importlib.util
import os

import pytest

REQUIRED = frozenset(filter(None, os.environ.get("NNEXP_REQUIRE", "").split(",")))
"""Names from the environment whose absence is a failure."""


def lacking(name: str, reason: str) -> None:
    """Skip the test, or fail it if ``name`` is required."""
    if name in REQUIRED:
        pytest.fail(f"NNEXP_REQUIRE={name}: {reason}")
    pytest.skip(reason)


def need_module(name: str, extra: str) -> None:
    """Go on only if the module ``name`` is installed."""
    if importlib.util.find_spec(name) is None:
        lacking(extra, f"the extra {extra} is not installed")
