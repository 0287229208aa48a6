"""The summary at the end: tables of methods and of runs, the verdict, failures, the command of MLflow's UI."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nnexp.losses.measures import BATCH_LOSS, PREFIXES, described, measures, spoken
from nnexp.sweep.view import Row

if TYPE_CHECKING:
    from nnexp.cli.ends import Ends, Line

MOST_RUN_ROWS = 12
"""The most runs that have a row each."""

MOST_COMPARED = 12
"""The most variants of methods that are compared; with more the report compares the best of each method."""

MOST_LINES = 24
"""The most variants of methods that are listed; with more the best of each method."""

MOST_FAILURES = 4
"""The most different reasons of failure that are printed; the record has all."""

LARGEST_WRITTEN_OUT = 10**6
"""Numbers from this size on have an exponent: the loss before a divergence can have dozens of digits."""

WORDS = ("method", "settings", "status", "run")
"""Columns of text that may be broken at spaces."""

Column = tuple[str, Callable[[Any], str], bool]
"""A title, the text of a row's cell, and whether the column may be left out where the terminal is narrow."""


def print_summary(
    out: Console, rows: Sequence[Row], ui_command: str, page: str, every: bool = False, verdict: str = ""
) -> None:
    """Print the table by method, the verdict, each kind of failure, the sweep's page and the UI's command.

    Args:
        every: whether each run has a row, also if there are many.
        verdict: of a sweep that has one; empty: computed from the runs' ends.
    """
    needed = 0
    if rows:
        out.print()
        found = _ends(rows, verdict) if len(rows) > 1 else None
        few = every or len(rows) <= MOST_RUN_ROWS
        if few:
            out.print(_table(out, rows, _of_runs(rows)))
        if found is not None:
            needed = found.needed
            if not few or len(rows) > len(found.lines):
                if few:
                    out.print()
                _print_methods(out, found)
            if found.verdict:
                out.print()
                out.print(Text(found.verdict, style="bold"))
        out.print()
        _print_failures(out, rows)
    if ui_command:
        _say(out, f"Browse: {ui_command}")
        _say(out, f"        then open {page}")
    if needed and not any(row.status in ("failed", "killed") for row in rows):
        more = f"'seed=range(0,{max(10, needed)})'"
        _say(out, f"Seeds: at least {needed} are needed to show a difference; add {more}")


def _ends(rows: Sequence[Row], verdict: str) -> Ends:
    # Importing the statistics takes a second, and a single run does not need them.
    from nnexp.cli.ends import ends

    return ends(rows, verdict)


def _say(out: Console, line: str, style: str = "") -> None:
    out.print(line, highlight=False, soft_wrap=True, markup=False, style=style)


def _print_methods(out: Console, found: Ends) -> None:
    lines = found.lines
    variants = {line.method for line in lines}
    methods = {name.split(" ")[0] for name in variants}
    if len(lines) > MOST_LINES or len(variants) > max(MOST_COMPARED, len(methods)):
        best: dict[tuple[str, str], Line] = {}
        for line in lines:
            best.setdefault((line.task, line.method.split(" ")[0]), line)
        lines = list(best.values())[:MOST_LINES]
        left = len(found.lines) - len(lines)
        _say(out, f"The best settings of each method; {left} more are in the report:")
    states = sorted({state for line in lines for state in line.states})
    columns: list[Column] = [
        ("method", lambda line: line.method, False),
        ("runs", lambda line: str(line.runs), False),
        *((state, lambda line, state=state: str(line.states.get(state, 0)), False) for state in states),
        (found.about, lambda line: _estimate(line), False),
        ("accuracy", lambda line: _number(line.accuracy, "{:.3f}"), True),
        ("evaluations", lambda line: _number(line.evaluations, "{:,.0f}"), True),
        ("seconds", lambda line: _number(line.seconds, "{:.2f}"), True),
    ]
    tasks = list(dict.fromkeys(line.task for line in lines))
    for task in tasks:
        if len(tasks) > 1:
            _say(out, f"{task}:", style="bold")
        out.print(_table(out, [line for line in lines if line.task == task], columns))
    said = "Medians of finished runs"
    if any(math.isfinite(float(line.value.low)) for line in lines):
        said += "; in brackets the median's 95% interval"
    _say(out, f"{said}.", style="dim")


def _estimate(line: Line) -> str:
    value, low, high = map(float, line.value)
    half = (high - low) / 2
    if not math.isfinite(half):
        return _number(value, "{:.4g}")
    if max(abs(low), abs(high)) >= LARGEST_WRITTEN_OUT:
        return f"{value:.2g} [{low:.2g}, {high:.2g}]"
    # The number of decimals follows from the interval's width.
    decimals = min(4, max(0, 1 - math.floor(math.log10(half)))) if half > 0 else 4
    return f"{value:,.{decimals}f} [{low:,.{decimals}f}, {high:,.{decimals}f}]"


def _of_runs(rows: Sequence[Row]) -> list[Column]:
    """Columns of single runs; where they are too many, those of the data that compare runs are kept."""
    shared = set.intersection(*(set(row.overrides.split(" ")) for row in rows))
    names, judged = _measures(rows)
    about = measures(described(metric for row in rows for metric in row.config.metrics))
    varied = any(_others(row, shared) for row in rows)
    return [
        ("method", lambda row: row.method, False),
        ("seed", lambda row: str(row.seed), False),
        *([("settings", lambda row: _others(row, shared), False)] if varied else []),
        *(
            (spoken(about[name]).replace(" ", "\n", 1), lambda row, name=name: _number(_value(row, name), "{:.4f}"),
             name not in judged)
            for name in names
        ),
        ("iterations", lambda row: f"{row.iterations:,}", True),
        ("evaluations", lambda row: f"{row.evaluations:,}", True),
        ("seconds", lambda row: _number(row.seconds, "{:.2f}"), True),
        ("status", lambda row: row.status, False),
        ("run", lambda row: f"[link={row.url}]{row.run_id[:8]}[/link]" if row.run_id else "", True),
    ]  # fmt: skip


def _measures(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """The table's measures, and those of them on the data that compare runs: test, else validation, else training data.

    They are those with a number: loss and accuracy of each kind of data, metrics of the kind that compares runs.
    """
    names = dict.fromkeys(name for row in rows for name in row.measures if math.isfinite(_value(row, name)))
    usual = [name for name in measures() if name in names and name != BATCH_LOSS]
    kind = next(prefix for prefix in reversed(PREFIXES) if f"{prefix}loss" in usual or not prefix)
    shown = [*usual, *(name for name in names if name.startswith(kind) and name not in measures())]
    return shown, [name for name in shown if name.startswith(kind)]


def _value(row: Row, name: str) -> float:
    return row.measures.get(name, math.nan)


def _table(out: Console, rows: Iterable[Any], columns: Sequence[Column]) -> Table:
    """The table without the columns that do not fit, so that no word and no number is broken."""
    rows, columns = list(rows), list(columns)
    while _least_width(rows, columns) > out.width and any(spare for _, _, spare in columns):
        del columns[_first_to_go(columns)]
    drawn = out.is_terminal
    table = Table(
        box=box.SIMPLE_HEAD if drawn else None,
        header_style="bold",
        pad_edge=False,
        show_edge=False,
        # Its lines are a character wide.
        padding=(0, 1 if drawn else 2, 0, 0),
    )
    for title, _, _ in columns:
        table.add_column(title, justify="left" if title in WORDS else "right", no_wrap=title not in WORDS)
    for row in rows:
        table.add_row(*(cell(row) for _, cell, _ in columns))
    return table


def _least_width(rows: Sequence[Any], columns: Sequence[Column]) -> int:
    """The least width at which no word is broken; numbers with their intervals are not broken at spaces."""
    width = 0
    for title, cell, _ in columns:
        texts = [*title.split("\n"), *(Text.from_markup(cell(row)).plain for row in rows)]
        parts = [part for text in texts for part in (text.split() if title in WORDS else [text])]
        width += 2 + max(map(len, parts), default=0)
    return width


def _first_to_go(columns: Sequence[Column]) -> int:
    """The next column to leave out: first costs, from the last to the first, then measures of training data."""
    spare = [at for at, (_, _, spare) in enumerate(columns) if spare]
    costs = [at for at in spare if columns[at][0] in ("iterations", "evaluations", "seconds")]
    return costs[-1] if costs else spare[0]


def _print_failures(out: Console, rows: Sequence[Row]) -> None:
    """Print failed runs, one line for each reason, with the log of the first run."""
    reasons: dict[str, list[Row]] = {}
    for row in rows:
        if row.status == "failed":
            reasons.setdefault(row.reason.partition(";")[0], []).append(row)
    for row, *alike in list(reasons.values())[:MOST_FAILURES]:
        which = (row.overrides or row.method) + (f", and {len(alike)} more" if alike else "")
        _say(out, f"failed: {which}: {row.reason}", style="red")
        _say(out, f"        log: {row.log}")
    if len(reasons) > MOST_FAILURES:
        _say(out, f"        and {len(reasons) - MOST_FAILURES} more reasons, in the report")


def _others(row: Row, shared: set[str]) -> str:
    """A job's overrides, without its method and seed and without those that all jobs share."""
    own = row.overrides.split(" ")
    return " ".join(o for o in own if o not in shared and not o.startswith(("seed=", "optimizer=")))


def _number(value: Any, how: str) -> str:
    if not math.isfinite(value):
        return ""
    # Counts have commas, and are written out.
    return f"{value:.3g}" if abs(value) >= LARGEST_WRITTEN_OUT and "," not in how else how.format(value)
