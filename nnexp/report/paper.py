"""The table for a paper: methods x tasks, mean ± interval, the best and its statistical ties in bold."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pandas as pd

from nnexp.pictures.style import LABELS
from nnexp.stats import Comparison
from nnexp.stats.comparison import ALL
from nnexp.stats.standing import BETTER

LARGEST_WRITTEN_OUT = 10**6
"""Numbers from this size on have an exponent."""

FORMATS = ("latex", "markdown", "csv")


class Cell(NamedTuple):
    """A method's answer on a task: mean, interval, number of runs, and whether it is best or a tie with it."""

    task: str
    method: str
    mean: float
    low: float
    high: float
    n: int
    best: bool
    tie: bool
    decimals: int

    @property
    def text(self) -> str:
        """``mean ± half the interval``, with the decimals of its task."""
        if not math.isfinite(self.mean):
            return "–"
        half = (self.high - self.low) / 2
        # The loss before a divergence can have dozens of digits.
        written = f".{self.decimals}f" if abs(self.mean) < LARGEST_WRITTEN_OUT else ".2g"
        mean = f"{self.mean:{written}}"
        return f"{mean} ± {half:{written}}" if math.isfinite(half) else mean


def cells(comparison: Comparison) -> list[Cell]:
    """One cell a task and method, tasks by name and methods in the comparison's order.

    The best is the first of :meth:`Comparison.ordered`; a tie is a method that was not shown to differ from it. Over
    tasks there is no best where the first method has no mean, because it misses a task.
    """
    found = []
    table = comparison.summary
    for task in task_order(table["task"]):
        rows = table[table["task"] == task].set_index("method").reindex(comparison.methods)
        best = comparison.ordered(task)[0]
        known = bool(pd.notna(rows.loc[best, "mean"]))
        pairs = comparison.pairs[comparison.pairs["task"] == task]
        decimals = _decimals((rows["mean_high"] - rows["mean_low"]) / 2, rows["mean"])
        for method, row in rows.iterrows():
            name = str(method)
            against = pairs[
                ((pairs["a"] == best) & (pairs["b"] == name)) | ((pairs["b"] == best) & (pairs["a"] == name))
            ]
            measured = bool(pd.notna(row["mean"]))
            tie = known and measured and name != best and not (against["verdict"] == BETTER).any()
            count = int(row["n"]) if pd.notna(row["n"]) else 0
            found.append(
                Cell(str(task), name, float(row["mean"]), float(row["mean_low"]), float(row["mean_high"]), count,
                     known and name == best, tie, decimals)
            )  # fmt: skip
    return found


def _decimals(halves: pd.Series, means: pd.Series) -> int:
    """Decimals for all numbers of a task: two digits of the middle interval, else four digits of the least mean."""
    sizes = halves[halves > 0]
    if len(sizes):
        return min(6, max(0, 1 - math.floor(math.log10(sizes.median()))))
    known = means[means != 0].abs().dropna()
    return min(6, max(0, 3 - math.floor(math.log10(known.min())))) if len(known) else 4


def task_order(tasks: Iterable[Any]) -> list[str]:
    """The tasks by name, with numbers in names ordered as numbers; all tasks together come last."""

    def key(task: str) -> tuple[bool, list[Any]]:
        parts = re.split(r"(\d+(?:\.\d+)?)", task)
        return task == ALL, [(0, float(p), "") if p[:1].isdigit() else (1, 0.0, p) for p in parts]

    return sorted({str(task) for task in tasks}, key=key)


def caption(comparison: Comparison) -> str:
    """A sentence that explains the numbers."""
    counts = sorted({cell.n for cell in cells(comparison) if cell.n})
    runs = "–".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))) if counts else "0"
    what = comparison.about.label
    means = f"Mean {what} ± half its {comparison.confidence:.0%} interval over {runs} runs"
    return (
        f"{means if runs != '1' else f'{what[0].upper()}{what[1:]} of one run'} at equal "
        f"{LABELS.get(comparison.axis, comparison.axis).split(' (')[0]}; bold: the best of a task, and those not "
        "shown to differ from it (paired permutation test, Holm)."
        + (
            f" Left out, without any answer: {'; '.join(comparison.left_out.values())}."
            if comparison.left_out
            else ""
        )
    )


def paper_table(comparison: Comparison, format: str) -> str:
    """The table as LaTeX (with booktabs), Markdown or CSV.

    Raises:
        ValueError: an unknown format.
    """
    kinds: dict[str, Callable[[Comparison], str]] = {"latex": _latex, "markdown": _markdown, "csv": _csv}
    if format not in kinds:
        raise ValueError(f"format={format}: expected one of {', '.join(FORMATS)}")
    return kinds[format](comparison)


def _grid(comparison: Comparison) -> tuple[list[str], dict[str, list[Cell | None]]]:
    found = {(cell.method, cell.task): cell for cell in cells(comparison)}
    tasks = list(dict.fromkeys(task for _, task in found))
    methods = list(dict.fromkeys(method for method, _ in found))
    return tasks, {method: [found.get((method, task)) for task in tasks] for method in methods}


def _markdown(comparison: Comparison) -> str:
    tasks, rows = _grid(comparison)
    lines = ["| method | " + " | ".join(map(_plain, tasks)) + " |", "| --- |" + " ---: |" * len(tasks)]
    for method, row in rows.items():
        texts = ["–" if c is None else f"**{c.text}**" if c.best or c.tie else c.text for c in row]
        lines.append(f"| {_plain(method)} | " + " | ".join(texts) + " |")
    return "\n".join([*lines, "", caption(comparison)]) + "\n"


def _latex(comparison: Comparison) -> str:
    tasks, rows = _grid(comparison)

    def cell(one: Cell | None) -> str:
        if one is None or not math.isfinite(one.mean):
            return "--"
        text = one.text.replace("±", r"\pm")
        return rf"$\mathbf{{{text}}}$" if one.best or one.tie else f"${text}$"

    head = " & ".join(["method", *map(_tex, tasks)])
    body = [" & ".join([_tex(method), *map(cell, row)]) + r" \\" for method, row in rows.items()]
    lines = [
        r"\begin{table}", r"\centering", r"\begin{tabular}{l" + "r" * len(tasks) + "}", r"\toprule",
        head + r" \\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
        rf"\caption{{{_tex(caption(comparison))}}}", r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _csv(comparison: Comparison) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["measure", "axis", *Cell._fields[:-1]])
    for cell in cells(comparison):
        row: list[Any] = ["" if isinstance(v, float) and not math.isfinite(v) else v for v in cell[:-1]]
        writer.writerow([comparison.measure, comparison.axis, *row])
    return out.getvalue()


def _plain(text: str) -> str:
    return str(text).replace("|", "\\|")


def _tex(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}",
        "_": r"\_",
        "%": r"\%",
        "&": r"\&",
        "#": r"\#",
        "±": r"$\pm$",
        "–": "--",
    }
    special |= {"{": r"\{", "}": r"\}", "$": r"\$", "^": r"\^{}", "~": r"\~{}"}
    return "".join(special.get(letter, letter) for letter in str(text))
