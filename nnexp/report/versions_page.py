"""The page of compared versions: one self-contained HTML file, like a sweep's report."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nnexp import __version__
from nnexp.losses.measures import spoken
from nnexp.report import page, tables
from nnexp.report.side_by_side import SideBySide, name_of
from nnexp.report.tables import Cell, Table
from nnexp.results import measure_of


def render_versions(found: SideBySide) -> str:
    """The whole page as text: verdicts, tables, curves, and differences."""
    colors = tables.method_colors(found.material)
    return page.template("versions.html.j2").render(
        version=__version__,
        material=found.material,
        names=found.versions.names,
        by=found.by,
        verdict=found.versions.text.partition("\n")[0],
        remarks=found.versions.remarks,
        answers=_answers(found, colors),
        speed=_speed(found, colors),
        differences=_differences(found),
        command=found.command,
        data=page.data(found.material, inside=False),
    )


def _answers(found: SideBySide, colors: dict[str, str]) -> Table:
    what = spoken(measure_of(found.versions.runs, found.versions.measure))
    rows = [
        [
            *_who(row, found, colors),
            tables.number(row["before"]),
            tables.number(row["after"]),
            tables.interval(row["difference"], row["low"], row["high"]),
            tables.p_value(row["p_holm"]),
            tables.whole(row["seeds"]),
        ]
        for _, row in found.versions.answers.iterrows()
    ]
    titles = ["method", "version", "verdict", "before", "after", "after - before", "p (Holm)", "common seeds"]
    note = (
        f"Means over tasks, on common seeds. In brackets {found.confidence:.0%} intervals of the difference; p "
        f"is from the sign-flip test, corrected for all rows."
    )
    return Table(f"{what[0].upper()}{what[1:]}", titles, [False] * 3 + [True] * 5, rows, note)


def _speed(found: SideBySide, colors: dict[str, str]) -> Table:
    rows = [
        [
            *_who(row, found, colors),
            tables.interval(row["ratio"], row["low"], row["high"]),
            tables.p_value(row["p_holm"]),
            tables.whole(row["timings"]),
        ]
        for _, row in found.versions.speed.iterrows()
    ]
    titles = ["method", "version", "verdict", "after / before", "p (Holm)", "independent timings"]
    note = "Runs that were trained together are one timing. Times also depend on the machine's load."
    return Table("Seconds a step", titles, [False] * 3 + [True] * 3, rows, note)


def _who(row: pd.Series, found: SideBySide, colors: dict[str, str]) -> list[Cell]:
    """The method in the colour of its version's curve, the version, and its verdict."""
    method, version = str(row["method"]), str(row["version"])
    color = colors[name_of(method, version)]
    return [
        Cell(method, method, color=color),
        Cell(version, version),
        Cell(str(row["verdict"]), str(row["verdict"])),
    ]


def _differences(found: SideBySide) -> Table:
    rows: list[list[Cell]] = []
    for values in found.differences.itertuples(index=False):
        rows.append([Cell(str(value), str(value)) for value in values])
    titles: list[Any] = list(found.differences.columns)
    return Table("What differs between the versions", titles, [False] * len(titles), rows)
