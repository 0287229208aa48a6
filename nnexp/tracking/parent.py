"""The parent run of a multirun: a summary of its children as table, figure and note."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

DESIGN, UNTIL = "design.json", "nnexp.until"
"""The artifact that holds the design of a sweep that chooses its seeds, and the tag that says that it has one."""

EXTENDED = "nnexp.extended"
"""The tag that says when a sweep was extended: JSON, each time with the number of runs that had ended."""

LOG = logging.getLogger(__name__)


class Parent(Protocol):
    """What of a run its end as a parent needs."""

    def record(self, *, numbers: Mapping[str, float]) -> None:
        """Record single numbers."""

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Set the last tags and end the run."""


def finish_parent(run: Parent, table: pd.DataFrame, status: str, limit: float | None = None) -> None:
    """Record the children's ``table`` (one row a run) and end the parent with ``status``.

    Writes ``summary.csv``, ``summary.md`` and, where a child has a loss, ``summary.png``. The run ends even
    if one of them cannot be made, which is then said in the tag ``nnexp.warning``. ``limit`` is the accuracy that no
    classifier exceeds, where all runs have the same.
    """
    tags = {"nnexp.status": status.lower()}
    try:
        failed = int((table["status"] == "failed").sum()) if "status" in table else 0
        run.record(numbers={"runs": float(len(table)), "failed": float(failed)})
        with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
            write_summary(Path(place), table, limit)
            run.log_artifacts(Path(place))
        tags["mlflow.note.content"] = note(table)
    except Exception as error:
        LOG.debug("summary", exc_info=True)
        tags["nnexp.warning"] = f"summary: {type(error).__name__}: {error}".splitlines()[0]
    finally:
        run.finish(status, tags)


def write_summary(folder: Path, table: pd.DataFrame, limit: float | None = None) -> None:
    """Write the table as CSV and Markdown, and its figure."""
    table.to_csv(folder / "summary.csv", index=False)
    (folder / "summary.md").write_text(markdown(table), encoding="utf-8")
    if {"method", "loss"} <= set(table.columns) and table["loss"].notna().any():
        from nnexp.pictures.one_run import sweep_figure

        sweep_figure(table, limit).savefig(folder / "summary.png")


def markdown(table: pd.DataFrame) -> str:
    """The table as a Markdown one, numbers with six significant digits."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + " --- |" * len(table.columns)]
    for row in table.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines) + "\n"


def note(table: pd.DataFrame) -> str:
    """A few lines for the parent's page: runs, failures, and each method's median end."""
    failed = int((table["status"] == "failed").sum()) if "status" in table else 0
    lines = [f"**{len(table)} runs**, {failed} failed. All rows: `summary.csv`; figure: `summary.png`.", ""]
    if {"method", "loss", "accuracy"} <= set(table.columns):
        for method, rows in table.groupby("method", sort=False):
            loss, accuracy = rows["loss"].median(), rows["accuracy"].median()
            lines.append(
                f"- **{method}**: median loss {loss:.4f}, accuracy {accuracy:.3f} ({len(rows)} runs)"
            )
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
