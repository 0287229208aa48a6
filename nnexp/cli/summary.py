"""What is printed at the end: the table of runs, failures with their reasons, the way to the UI."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from nnexp.sweep.view import Row

MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")

COSTS = ("iterations", "evaluations", "seconds")

MOST_ROWS = 60
"""More runs than these are summed up in the terminal; the parent run has all of them in its files."""


def console(file: Any = None) -> Console:
    """A console on standard output, wide enough for whole links where that is not a terminal."""
    file = file or sys.stdout
    return Console(file=file, width=None if file.isatty() else 220, soft_wrap=False)


def print_summary(out: Console, rows: Sequence[Row], ui_command: str, page: str) -> None:
    """Print the table, each failed job with its reason and log, the sweep's page and the UI's command."""
    table = Table(title=None, header_style="bold", pad_edge=False)
    varied = len({(row.method, row.seed) for row in rows}) < len(rows)
    shared = _shared(rows)
    numbers = (*_measures(rows), *COSTS)
    for name in ("method", "seed", *(["overrides"] if varied else []), *numbers, "status", "run"):
        table.add_column(name, justify="right" if name in ("seed", *numbers) else "left", overflow="fold")
    for row in rows:
        link = f"[link={row.url}]{row.run_id[:8]}[/link]" if out.is_terminal else row.url
        table.add_row(
            row.method,
            str(row.seed),
            *([_others(row, shared)] if varied else []),
            *(_number(name, getattr(row, name)) for name in numbers),
            row.status,
            link if row.run_id else "",
        )
    if rows:
        out.print(table if len(rows) <= MOST_ROWS else _by_method(rows))
    failures: dict[str, list[Row]] = {}
    for row in rows:
        if row.status == "failed":
            # Runs that a full disk does not take have one reason, and each files of its own.
            failures.setdefault(row.reason.partition(";")[0], []).append(row)
    for row, *alike in failures.values():
        which = (row.overrides or row.method) + (f", and {len(alike)} more" if alike else "")
        out.print(f"failed: {which}: {row.reason}", style="red", highlight=False, markup=False)
        out.print(f"        log: {row.log}", highlight=False, markup=False)
    if ui_command:
        out.print(f"Browse: {ui_command}", highlight=False, soft_wrap=True, markup=False)
        out.print(f"        then open {page}", highlight=False, soft_wrap=True, markup=False)


def _by_method(rows: Sequence[Row]) -> Table:
    """Medians of each kind of job: the method with what else its jobs override, whatever their seeds."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    shared = _shared(rows)
    for row in rows:
        kinds.setdefault((row.method, _others(row, shared)), []).append(row)
    names = (*_measures(rows), "evaluations", "seconds")
    varied = any(others for _, others in kinds)
    table = Table(title="medians", title_justify="left", header_style="bold", pad_edge=False)
    for name in ("method", *(["overrides"] if varied else []), "runs", "failed", *names):
        table.add_column(
            name, justify="left" if name in ("method", "overrides") else "right", overflow="fold"
        )
    for (method, other), own in kinds.items():
        done = [row for row in own if row.status == "finished"]
        failed = sum(row.status in ("failed", "killed", "diverged") for row in own)
        medians = [median([getattr(row, name) for row in done]) if done else math.nan for name in names]
        cells = [
            _number(name, int(value) if name == "evaluations" and done else value)
            for name, value in zip(names, medians, strict=True)
        ]
        table.add_row(method, *([other] if varied else []), str(len(own)), str(failed), *cells)
    return table


def _measures(rows: Sequence[Row]) -> list[str]:
    """What was measured: test columns are left out where no dataset has test data beside validation data."""
    return [
        name
        for name in MEASURES
        if not name.startswith("test_") or any(math.isfinite(getattr(row, name)) for row in rows)
    ]


def _shared(rows: Sequence[Row]) -> set[str]:
    """The overrides that all jobs have."""
    return set.intersection(*(set(row.overrides.split(" ")) for row in rows)) if rows else set()


def _others(row: Row, shared: set[str]) -> str:
    """What a job overrides beside its method and seed, and unlike others."""
    own = row.overrides.split(" ")
    return " ".join(o for o in own if o not in shared and not o.startswith(("seed=", "optimizer=")))


def _number(name: str, value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if name in ("iterations", "evaluations"):
        return f"{value:,}"
    return f"{value:.2f}" if name == "seconds" else f"{value:.4f}"
