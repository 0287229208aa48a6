"""What is printed at the end: the table of runs, failures with their reasons, the way to the UI."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

NUMBERS = ("loss", "accuracy", "val_loss", "val_accuracy", "iterations", "evaluations", "seconds")


class Row(NamedTuple):
    """One job of a session of work: what it was, how it ended, and what it reached."""

    method: str
    seed: int
    overrides: str
    status: str
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    iterations: int
    evaluations: int
    seconds: float
    run_id: str
    url: str
    reason: str
    log: str


def console(file: Any = None) -> Console:
    """A console on standard output, wide enough for whole links where that is not a terminal."""
    file = file or sys.stdout
    return Console(file=file, width=None if file.isatty() else 220, soft_wrap=False)


def print_summary(out: Console, rows: Sequence[Row], ui_command: str, page: str) -> None:
    """Print the table, each failed job with its reason and log, the sweep's page and the UI's command."""
    table = Table(title=None, header_style="bold", pad_edge=False)
    varied = len({(row.method, row.seed) for row in rows}) < len(rows)
    for name in ("method", "seed", *(["overrides"] if varied else []), *NUMBERS, "status", "run"):
        table.add_column(name, justify="right" if name in ("seed", *NUMBERS) else "left", overflow="fold")
    for row in rows:
        link = f"[link={row.url}]{row.run_id[:8]}[/link]" if out.is_terminal else row.url
        table.add_row(
            row.method,
            str(row.seed),
            *([row.overrides] if varied else []),
            *(_number(name, getattr(row, name)) for name in NUMBERS),
            row.status,
            link if row.run_id else "",
        )
    if rows:
        out.print(table)
    failed = [row for row in rows if row.status == "failed"]
    for row in failed:
        out.print(
            f"failed: {row.overrides or row.method}: {row.reason}", style="red", highlight=False, markup=False
        )
        out.print(f"        log: {row.log}", highlight=False, markup=False)
    if ui_command:
        out.print(f"Browse: {ui_command}", highlight=False, soft_wrap=True, markup=False)
        out.print(f"        then open {page}", highlight=False, soft_wrap=True, markup=False)


def _number(name: str, value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if name in ("iterations", "evaluations"):
        return f"{value:,}"
    return f"{value:.2f}" if name == "seconds" else f"{value:.4f}"
