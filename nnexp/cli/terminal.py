"""The terminal, or another output in its place."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console

WIDTH = 80
"""Width in characters where there is no terminal."""


def console(file: Any = None) -> Console:
    """A console on standard output: as wide as the terminal, plain and narrow elsewhere."""
    file = file or sys.stdout
    return Console(file=file, width=None if file.isatty() else WIDTH)
