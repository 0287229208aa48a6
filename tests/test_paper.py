"""The table for a paper: its cells, its ties, its formats."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from pathlib import Path

import pytest

from nnexp.report.material import Material, load_material
from nnexp.report.paper import cells, paper_table, task_order
from nnexp.stats.standing import BETTER


@pytest.fixture(scope="module")
def material(swept: Path) -> Material:
    return load_material(uri=f"sqlite:///{swept / 'runs' / 'mlflow.db'}")


@pytest.mark.parametrize("kind", ["latex", "markdown", "csv"])
def test_the_paper_s_table_has_every_method_and_task(material: Material, kind: str) -> None:
    assert material.judgement is not None
    comparison = material.judgement.comparisons["evaluations"]
    text = paper_table(comparison, kind)
    for name in ("random", "perturb", "sgd", "spiral", "vertical"):
        assert name in text
    best = [cell for cell in cells(comparison) if cell.best]
    assert len(best) == len({cell.task for cell in cells(comparison)})
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == len(cells(comparison))
        assert {row["best"] for row in rows} == {"True", "False"}
    else:
        bold = sum(cell.best or cell.tie for cell in cells(comparison))
        assert text.count("**") == (2 * bold if kind == "markdown" else 0)
        assert text.count(r"\mathbf") == (bold if kind == "latex" else 0)


def test_the_numbers_of_a_task_have_the_decimals_that_its_middle_interval_deserves(
    material: Material,
) -> None:
    assert material.judgement is not None
    found = cells(material.judgement.comparisons["iteration"])
    for task in {cell.task for cell in found}:
        own = [cell for cell in found if cell.task == task]
        assert len({cell.decimals for cell in own}) == 1
        assert all(
            len(number.partition(".")[2]) == own[0].decimals for c in own for number in c.text.split(" ± ")
        )
        middle = sorted((cell.high - cell.low) / 2 for cell in own)[len(own) // 2]
        assert own[0].decimals == 1 - math.floor(math.log10(middle))
    cell = found[0]._replace(decimals=3)
    assert cell._replace(mean=1.23456, low=1.2, high=1.3).text == "1.235 ± 0.050"
    assert cell._replace(mean=0.5, low=0.5, high=0.5).text == "0.500 ± 0.000"
    assert cell._replace(mean=math.nan).text == "–"


def test_ties_are_those_that_were_not_told_apart(material: Material) -> None:
    assert material.judgement is not None
    comparison = material.judgement.comparisons["iteration"]
    sure = comparison.pairs.assign(verdict=BETTER)
    assert not any(cell.tie for cell in cells(dataclasses.replace(comparison, pairs=sure)))
    # Three seeds can tell nothing apart.
    assert all(cell.tie or cell.best for cell in cells(comparison) if cell.n)


def test_tasks_are_in_order_of_their_numbers() -> None:
    tasks = ["all tasks", "spiral classes=10", "vertical", "spiral classes=2", "spiral"]
    assert task_order(tasks) == ["spiral", "spiral classes=2", "spiral classes=10", "vertical", "all tasks"]


def test_an_unknown_format_is_named(material: Material) -> None:
    assert material.judgement is not None
    with pytest.raises(ValueError, match="format=pdf: expected one of latex, markdown, csv"):
        paper_table(material.judgement.comparisons["iteration"], "pdf")
