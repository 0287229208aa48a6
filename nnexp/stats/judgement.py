"""The answer for a sweep: comparisons at equal iterations, evaluations and seconds, in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from nnexp.losses.measures import spoken
from nnexp.results.budget import budget_first
from nnexp.results.history import missing_files
from nnexp.results.labels import cells, missing_cells
from nnexp.stats.comparison import Comparison, compare
from nnexp.stats.design import DesignRecord
from nnexp.stats.sequential_verdict import SequentialVerdict, sequential_verdict
from nnexp.stats.standing import standing
from nnexp.stats.tuning import tuning_table, tuning_text
from nnexp.stats.verdict import BY_DESIGN, TESTS, UNITS, count, listed


class Judgement(NamedTuple):
    """A sweep judged: a comparison for each kind of cost, what is missing, what was tuned, and the text."""

    comparisons: dict[str, Comparison]
    """By axis, the one that the budget was given in first."""
    missing: pd.DataFrame
    """Cells of the grid without a finished run, as :func:`nnexp.results.missing_cells` gives."""
    tuning: pd.DataFrame
    """One row a method: method, settings, tuned, runs, evaluations, seconds."""
    headline: str
    text: str
    sequential: SequentialVerdict | None = None
    """Of a sweep that ran until it was decided."""


def judge(
    runs: pd.DataFrame,
    history: pd.DataFrame,
    measure: str | None = None,
    axes: Sequence[str] | None = None,
    task: Sequence[str] | None = None,
    method: str | None = None,
    confidence: float = 0.95,
) -> Judgement:
    """Compare at equal cost of every kind, and tell which method is better, by how much, how sure, at what cost.

    Args:
        runs: as :func:`nnexp.results.load_runs` or :func:`nnexp.stats.select_best` gives; where they are a sweep that
            ran until it was decided, its design decides (``attrs["design"]``).
        axes: the kinds of cost, the one that matters most first; None for all, with that of the budget first.

    Raises:
        ValueError: as :func:`nnexp.stats.compare` does.
    """
    recorded = runs.attrs.get("design") if task is None and method is None else None
    design = DesignRecord.read(recorded) if recorded else None
    if design is not None and not design.looks:
        design = None
    if design is not None and measure is None:
        measure = design.design.measure
    comparisons = {
        axis: compare(
            runs, history, measure, axis, task=task, method=method, confidence=confidence, design=design
        )
        for axis in axes or budget_first(runs, history)
    }
    missing = missing_cells(runs, task, method)
    ranks = {
        name.split(" ")[0]: at for at, name in [*enumerate(next(iter(comparisons.values())).methods)][::-1]
    }
    tuning = tuning_table(cells(runs, task, method))
    # Best first, as in all tables.
    tuning = tuning.sort_values("method", key=lambda names: names.map(ranks), kind="stable")
    sequential = None if design is None else sequential_verdict(design)
    head = headline(comparisons) if sequential is None else sequential.headline
    sections = [f"At equal {UNITS[axis]}\n{found.verdict}" for axis, found in comparisons.items()]
    tests = TESTS if design is None else BY_DESIGN
    last = filter(None, [tuning_text(tuning), tests, _missing(missing), missing_files(history)])
    first = head if sequential is None else sequential.text
    if later := _extended(runs.attrs.get("extended", ""), 1 - confidence):
        first = f"{first}\n{later}"
    text = "\n\n".join([first, *sections, "\n".join(last)])
    return Judgement(comparisons, missing, tuning, head, text, sequential)


def _extended(tag: str, alpha: float) -> str:
    """A warning that a sweep was extended after its end, which raises the error rate of tests for one look."""
    if not tag:
        return ""
    times = json.loads(tag)
    listed = ", ".join(f"{count(one['runs'], 'run')} ({one['at']})" for one in times)
    many = count(len(times), "time")
    return (
        f"Extended {many} after its results were known, at {listed}. Tests do not take that into account: "
        f"whoever looks "
        f"{len(times) + 1} times at {alpha:.0%} and stops at a difference is wrong in up to "
        f"{min(1.0, (len(times) + 1) * alpha):.0%} of cases. sweep.until=decided holds its level."
    )


def headline(comparisons: dict[str, Comparison]) -> str:
    """One sentence: the best method at each cost, or that there is not enough evidence for one."""
    first = next(iter(comparisons.values()))
    outcomes: dict[str, list[str]] = {}
    for axis, found in comparisons.items():
        best, _, close = standing(found.methods, found.overall)
        told = best if not close else f"not enough evidence ({listed([best, *close], 'or')})"
        timed = " (as timed here)" if axis == "seconds" else ""
        outcomes.setdefault(told, []).append(UNITS[axis] + timed)
    parts = [f"{told} at equal {_and(axes)}" for told, axes in outcomes.items()]
    return f"Best by {spoken(first.about)}: {'; '.join(parts)}."


def _missing(missing: pd.DataFrame) -> str:
    if missing.empty:
        return ""
    counts = missing.groupby("status", sort=False).size()
    shown = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"Cells of the grid without a finished run: {shown}."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
