"""The page's tables: rows of cells, each with its text and the value for sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from nnexp.losses.measures import spoken
from nnexp.pictures.style import LABELS, looks, method_color
from nnexp.report.material import Material
from nnexp.report.paper import cells, task_order
from nnexp.results import known_measures, label, measure_of, settings_of
from nnexp.results.labels import shown as setting_text
from nnexp.stats import Comparison
from nnexp.stats.intervals import student
from nnexp.stats.measure import tuning_measure

MOST_RUNS = 1000
"""The most rows of a table of runs, variants or cells."""

MOST_VALUES = 20
"""The most values of a setting that are listed."""


class Cell(NamedTuple):
    """``text`` to show, ``sort`` (a number or text) for sorting, ``strong`` for emphasis, ``color`` of a method."""

    text: str
    sort: float | str | None = None
    strong: bool = False
    color: str = ""


class Table(NamedTuple):
    """Columns with titles, of which ``right`` marks those with numbers, and rows; ``note`` is below."""

    caption: str
    columns: list[str]
    right: list[bool]
    rows: list[list[Cell]]
    note: str = ""


def results(comparison: Comparison, colors: dict[str, str]) -> Table:
    """A row a task and method: means, medians and interquartile means with their intervals, and the costs."""
    what = spoken(comparison.about)
    found = {(cell.task, cell.method): cell for cell in cells(comparison)}
    rows = []
    for _, row in _ordered(comparison.summary, comparison).iterrows():
        cell = found.get((str(row["task"]), str(row["method"])))
        emphasis, decimals = (False, None) if cell is None else (cell.best or cell.tie, cell.decimals)
        lost = int(row["lost"]) if pd.notna(row["lost"]) else 0
        diverged = int(row["diverged"]) if pd.notna(row["diverged"]) else 0
        rows.append(
            [
                Cell(str(row["task"]), str(row["task"])),
                _method(row["method"], colors),
                *(
                    interval(
                        row[name],
                        row[f"{name}_low"],
                        row[f"{name}_high"],
                        emphasis and name == "mean",
                        decimals,
                    )
                    for name in ("mean", "median", "iqm")
                ),
                whole(row["n"]),
                Cell(f"{lost + diverged}", lost + diverged),
                number(row.get("evaluations")),
                number(row.get("seconds")),
            ]
        )
    measured = [f"mean {what}", f"median {what}", f"IQM {what}"]
    titles = ["task", "method", *measured, "runs", "lost", "evaluations", "seconds"]
    note = (
        f"In brackets: {comparison.confidence:.0%} intervals. Bold: the best mean of a task, and those not shown to "
        "differ from it. IQM: interquartile mean. Lost: diverged, failed, killed or missing. Evaluations and seconds: "
        "medians."
    ) + _levels(comparison.summary["median_level"], comparison.confidence)
    return Table("Results by task and method", titles, [False, False, *[True] * 7], rows, note)


def pairs(comparison: Comparison, colors: dict[str, str]) -> Table:
    """A row a task and pair of methods: the paired difference with its interval and tests."""
    rows = []
    for _, row in _ordered(comparison.pairs, comparison).iterrows():
        rows.append(
            [
                Cell(str(row["task"]), str(row["task"])),
                _method(row["a"], colors),
                _method(row["b"], colors),
                Cell(str(row["verdict"]), str(row["verdict"])),
                interval(row["difference"], row["low"], row["high"]),
                p_value(row["p"]),
                p_value(row["p_holm"]),
                p_value(row["p_mean"]),
                Cell("yes" if row["shapes_differ"] else "no", float(row["shapes_differ"])),
                _share(row["probability_a_better"]),
                number(row["cliffs_delta"], 2),
                whole(row["n_pairs"]),
                number(row["seeds_needed"]),
            ]
        )
    tests = ["p", "p (Holm)", "p (means)", "shapes differ"]
    shown = ["verdict", "a - b", *tests, "P(a better)", "Cliff's delta", "pairs", "seeds needed"]
    note = (
        f"Paired by seed. In brackets {comparison.confidence:.0%} intervals, which leave out 0 where p, of this pair's "
        "permutation test, is small enough; p (Holm) is corrected for all pairs, and decides. Null hypotheses: "
        "for p, that on each seed the difference is as likely to have "
        "the other sign, as for equal methods; for p (means), that means are equal. Seeds needed: to show a "
        "difference as large as this with a power of 80%."
    )
    if (comparison.pairs["observations"] < comparison.pairs["seeds"]).any():
        note += " Runs that were timed together are one measurement of time."
    return Table("Pairs of methods", ["task", "a", "b", *shown], [False] * 4 + [True] * 9, rows, note)


def targets(comparison: Comparison, colors: dict[str, str]) -> Table:
    """A row a task and method: how many runs reached the target, and at what cost; unreached is infinite."""
    rows = []
    for _, row in _ordered(comparison.time_to_target, comparison).iterrows():
        rows.append(
            [
                Cell(str(row["task"]), str(row["task"])),
                _method(row["method"], colors),
                number(row["target"]),
                Cell(f"{int(row['reached'])} of {int(row['n'])}", float(row["reached"])),
                interval(row["median"], row["low"], row["high"]),
            ]
        )
    axis = LABELS[comparison.axis]
    titles = ["task", "method", "target", "reached", f"median {axis}"]
    return Table(f"Cost of first reaching the target, in {axis}", titles, [False, False, True, True, True], rows,
                 "A run that never reached the target counts as infinite; it is not left out."
                 + _levels(comparison.time_to_target["level"], comparison.confidence))  # fmt: skip


def _levels(levels: pd.Series, confidence: float) -> str:
    """A note on the levels of medians' intervals where they are below the confidence."""
    below = sorted(set(levels[levels < confidence]))
    said = (
        f" Few runs: medians' intervals hold {', '.join(f'{level:.2%}' for level in below)}." if below else ""
    )
    return said + (" A median of too few runs has no interval." if levels.isna().any() else "")


def failures(material: Material, colors: dict[str, str]) -> Table:
    """A row for each cell of the grid without a finished run: its status and the reason.

    A method without any run on a task has one row, for all seeds.
    """
    missing = material.missing
    seeds = material.runs["replicate"].nunique()
    without = missing[missing["status"] == "missing"].groupby(["task", "variant"])["replicate"]
    if seeds > 1 and (never := without.transform("size") == seeds).any():
        all_seeds = missing.loc[never[never].index].drop_duplicates(["task", "variant"])
        missing = missing.drop(never[never].index.difference(all_seeds.index))
        missing = missing.assign(replicate=missing["replicate"].astype(object))
        missing.loc[all_seeds.index, "replicate"] = "all"
    rows = [
        [
            Cell(str(row["task"]), str(row["task"])),
            _method(row["variant"], colors),
            Cell(setting_text(row["replicate"]), _key(row["replicate"])),
            Cell(str(row["status"]), str(row["status"])),
            Cell(str(row["reason"] or ""), str(row["reason"] or "")),
            Cell(str(row["run_id"] or ""), str(row["run_id"] or "")),
        ]
        for _, row in missing.head(MOST_RUNS).iterrows()
    ]
    titles = ["task", "method", "seed", "status", "reason", "run"]
    rest = len(missing) - len(rows)
    note = (
        "Pruned: skipped, because the trial's first seeds were worse than those of the median trial."
        * bool((missing["status"] == "pruned").any())
    )
    note += f" {rest} more are not listed." if rest else ""
    right = [False, False, True, False, False, False]
    return Table("Cells without a finished run", titles, right, rows, note)


def variants(trials: pd.DataFrame, chosen: Sequence[str], colors: dict[str, str]) -> Table:
    """A row for each variant of :func:`nnexp.stats.trials.trial_table`; the ``chosen`` ones are emphasised."""
    shown = trials.head(MOST_RUNS)
    rows = [
        [
            _method(row["method"], colors),
            Cell(row["variant"].partition(" ")[2] or "default", row["variant"], row["variant"] in chosen),
            number(row["value"]),
            whole(row["runs"]),
            whole(row["finished"]),
            Cell("yes" if row["variant"] in chosen else "", float(row["variant"] in chosen)),
        ]
        for _, row in shown.iterrows()
    ]
    what = spoken(measure_of(trials, str(trials.attrs["measure"])))
    titles = ["method", "settings", f"median {what}", "runs", "finished", "chosen"]
    rest = len(trials) - len(shown)
    note = f"{rest} more are not listed." if rest else ""
    return Table(
        f"All {len(trials)} settings, the best first", titles, [False, False, *[True] * 3, False], rows, note
    )


def chosen(material: Material, colors: dict[str, str]) -> Table:
    """A row a method: its best setting, how many were tried, and its values on choosing seeds and on other seeds."""
    assert material.selection is not None
    measure = tuning_measure(material.all_runs)
    judged = material.selection.runs
    name = label(judged)["variant"]
    rows = []
    for row in material.selection.costs.itertuples():
        own = judged[judged["tuning_of"] == row.method]
        done = own[own["status"] == "finished"]
        before = material.all_runs[(material.all_runs["variant"] == row.chosen)]
        before = before[~before["run_id"].isin(set(own["run_id"])) & (before["status"] == "finished")]
        shown = str(name[own.index[0]]) if len(own) else str(row.method)
        rows.append(
            [
                _method(shown, colors),
                Cell(str(row.chosen).partition(" ")[2] or "default", str(row.chosen)),
                whole(row.settings),
                number(before[measure].mean() if len(before) else math.nan),
                interval(*student(done[measure].dropna().to_numpy(float))),
                whole(len(done)),
            ]
        )
    order = {method: at for at, method in enumerate(material.methods)}
    rows.sort(key=lambda row: order.get(row[0].text, len(order)))
    what = spoken(measure_of(material.all_runs, measure))
    titles = [
        "method",
        "best setting",
        "settings tried",
        f"{what}, choosing seeds",
        f"{what}, other seeds",
        "runs",
    ]
    note = "Means. On the seeds that chose it a setting looks better than it is; the other seeds give a fair estimate."
    return Table("The best of each method", titles, [False, False, *[True] * 4], rows, note)


def every_run(material: Material, colors: dict[str, str]) -> Table:
    """A row a run, including failed ones, up to :data:`MOST_RUNS`."""
    runs = material.all_runs.head(MOST_RUNS)
    measures = {name: about.label for name, about in known_measures(runs).items() if runs[name].notna().any()}
    rows = [
        [
            Cell(str(row["task"]), str(row["task"])),
            _method(row["variant"], colors),
            Cell(setting_text(row["replicate"]), _key(row["replicate"])),
            Cell(str(row["status"]), str(row["status"])),
            *(number(row[name]) for name in (*measures, "evaluations", "seconds")),
            Cell(str(row["run_id"])[:8], str(row["run_id"])),
        ]
        for _, row in runs.iterrows()
    ]
    titles = [
        "task",
        "method",
        "seed",
        "status",
        *(label.split(" (")[0] for label in measures.values()),
        "evaluations",
        "seconds",
        "run",
    ]
    right = [False, False, True, False, *[True] * (len(measures) + 2), False]
    rest = len(material.all_runs) - len(runs)
    return Table("Every run", titles, right, rows, f"{rest} more runs are in the store." if rest else "")


def differences(material: Material) -> tuple[Table, Table]:
    """The settings in which runs differ, with their values, and those that all share."""
    varied, shared = [], []
    for name in settings_of(material.all_runs):
        values = list(dict.fromkeys(setting_text(value) for value in material.all_runs[name]))
        if len(values) > 1:
            text = _ranges(values) if name == "seed" else ", ".join(values[:MOST_VALUES])
            if name != "seed" and len(values) > MOST_VALUES:
                text += f" and {len(values) - MOST_VALUES} more"
            varied.append([Cell(name, name), Cell(text, text), Cell(str(len(values)), len(values))])
        else:
            shared.append([Cell(name, name), Cell(values[0] if values else "", None)])
    return (
        Table("Settings in which the runs differ", ["setting", "values", "how many"], [False, False, True], varied,
              "A setting that a method does not have is null."),
        Table("Settings that all runs share", ["setting", "value"], [False, False], shared),
    )  # fmt: skip


def method_colors(material: Material) -> dict[str, str]:
    """The colour of each method."""
    return {name: look.color for name, look in looks(material.methods).items()}


def plain(value: Any, name: str, colors: dict[str, str]) -> Cell:
    """A cell for any value of a table of the statistics."""
    if name == "method":
        return _method(value, colors)
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return Cell("yes" if value else "no", float(value))
    if isinstance(value, int | float) or hasattr(value, "dtype"):
        return number(value)
    return Cell(setting_text(value), setting_text(value))


def _ordered(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """The rows by task, then by method (or pair of them), the best first."""
    tasks = {name: at for at, name in enumerate(task_order(table["task"]))}
    methods = {name: at for at, name in enumerate(comparison.methods)}
    keys = ["task", *(name for name in ("method", "a", "b") if name in table)]
    return table.sort_values(keys, key=lambda column: column.map(tasks if column.name == "task" else methods))


def _ranges(values: Sequence[str]) -> str:
    """Whole numbers as ranges: 0 to 19."""
    try:
        whole = sorted(int(value) for value in values)
    except ValueError:
        return ", ".join(values)
    if len(whole) > 2 and whole == list(range(whole[0], whole[-1] + 1)):
        return f"{whole[0]} to {whole[-1]}"
    return ", ".join(map(str, whole))


def _method(name: Any, colors: dict[str, str]) -> Cell:
    return Cell(str(name), str(name), color=colors.get(str(name)) or method_color(str(name)))


def whole(value: Any) -> Cell:
    return Cell("–", None) if pd.isna(value) else Cell(f"{int(value)}", int(value))


def number(value: Any, digits: int = 4) -> Cell:
    if value is None or pd.isna(value):
        return Cell("–", None)
    found = float(value)
    if math.isinf(found):
        return Cell("∞" if found > 0 else "−∞", math.copysign(1e300, found))
    whole = found == int(found) and abs(found) < 1e15
    return Cell(f"{found:,.0f}" if whole and abs(found) >= 1000 else f"{found:.{digits}g}", found)


def interval(middle: Any, low: Any, high: Any, strong: bool = False, decimals: int | None = None) -> Cell:
    """A number with its interval; without ``decimals`` their number follows from the interval's width."""
    cell = number(middle)
    if cell.sort is None or pd.isna(low) or pd.isna(high):
        return cell._replace(strong=strong)
    numbers = [float(middle), float(low), float(high)]
    half = (numbers[2] - numbers[1]) / 2
    if not all(map(math.isfinite, numbers)) or (half <= 0 and decimals is None):
        return Cell(f"{cell.text} [{number(low).text}, {number(high).text}]", cell.sort, strong)
    if decimals is None:
        decimals = min(6, max(0, 1 - math.floor(math.log10(half))))
    shown = [f"{value:,.{decimals}f}" for value in numbers]
    return Cell(f"{shown[0]} [{shown[1]}, {shown[2]}]", cell.sort, strong)


def without_task(table: Table) -> Table:
    """The table without its first column, which names the task, for sweeps of one task."""
    rows = [row[1:] for row in table.rows]
    return table._replace(columns=table.columns[1:], right=table.right[1:], rows=rows)


def p_value(value: Any) -> Cell:
    if pd.isna(value):
        return Cell("–", None)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", float(value))


def _share(value: Any) -> Cell:
    return Cell("–", None) if pd.isna(value) else Cell(f"{float(value):.0%}", float(value))


def _key(value: Any) -> float | str:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
