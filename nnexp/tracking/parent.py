"""The parent run of a multirun: a summary of its children as table, figure and note."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nnexp.losses.measures import measures, spoken
from nnexp.tracking.protocol import Shared

if TYPE_CHECKING:
    import pandas as pd

DESIGN, UNTIL = "design.json", "nnexp.until"
"""The artifact with the design of a sweep that chooses its seeds, and the tag that marks such a sweep."""

EXTENDED = "nnexp.extended"
"""The tag with the extensions of a sweep: JSON, each with its time and the number of ended runs."""

MEDIANS = (
    *("loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy"),
    *("iterations", "evaluations", "seconds"),
)
"""The columns of ``summary.md``."""

LOG = logging.getLogger(__name__)


class Parent(Protocol):
    """The methods of a run that its end as a parent uses."""

    def record(self, *, numbers: Mapping[str, float]) -> None:
        """Record single numbers."""

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""

    def share(self, shared: Shared) -> None:
        """Make the views of the sweep."""

    def finish(self, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Set the last tags and end the run."""


def finish_parent(
    run: Parent, table: pd.DataFrame, status: str, limit: float | None = None, sweep: str = ""
) -> None:
    """Record the children's ``table`` (one row a run) and end the parent with ``status``.

    Writes ``summary.csv``, ``summary.md`` and, if a child has a loss, ``summary.png``. The run ends even
    if one of them cannot be made; the tag ``nnexp.warning`` then says why. ``limit`` is the accuracy that no
    classifier exceeds, if all runs have the same. Views in MLflow are made for the ``sweep`` with this id.
    """
    tags = {"nnexp.status": status.lower()}
    try:
        failed = int((table["status"] == "failed").sum()) if "status" in table else 0
        run.record(numbers={"runs": float(len(table)), "failed": float(failed)})
        with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
            write_summary(Path(place), table, limit)
            run.log_artifacts(Path(place))
        tags["mlflow.note.content"] = note(table)
        if sweep and len(table):
            run.share(shared(sweep, table))
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
    """A short table: for each method the number of runs by status, and medians of finished runs."""
    shown = [name for name in MEDIANS if name in table and table[name].notna().any()]
    known = measures()
    titles = ["method", "runs", "ended", *(spoken(known[name]) if name in known else name for name in shown)]
    lines = ["| " + " | ".join(titles) + " |", "| --- | ---: | --- |" + " ---: |" * len(shown)]
    for method, rows in table.groupby("method", sort=False):
        states = rows["status"].value_counts() if "status" in rows else {"finished": len(rows)}
        ended = ", ".join(f"{count} {state}" for state, count in states.items())
        done = rows[rows["status"] == "finished"] if "status" in rows else rows
        cells = [method, len(rows), ended, *(float(done[name].dropna().median()) for name in shown)]
        lines.append("| " + " | ".join(_cell(value) for value in cells) + " |")
    return "\n".join([*lines, "", "Medians of finished runs. Every run is in `summary.csv`."]) + "\n"


def shared(sweep: str, table: pd.DataFrame) -> Shared:
    """The content of the sweep's views."""
    kind = next((kind for kind in ("test_", "val_") if table.get(f"{kind}loss", math.nan) is not math.nan
                 and table[f"{kind}loss"].notna().any()), "")  # fmt: skip
    loss, accuracy = f"{kind}loss", f"{kind}accuracy"
    known = accuracy in table and table[accuracy].notna().any()
    finished = table[table["status"] == "finished"]
    chosen = (finished if len(finished) else table)["run_id"]
    return Shared(
        sweep, tuple(dict.fromkeys(map(str, table["method"]))), loss, accuracy if known else "",
        bool((table[loss].dropna() > 0).all()), str(chosen.iloc[0]),
    )  # fmt: skip


def note(table: pd.DataFrame) -> str:
    """A few lines for the parent's page: runs, failures, and each method's final medians."""
    failed = int((table["status"] == "failed").sum()) if "status" in table else 0
    lines = [f"**{_runs(table)}**, {failed} failed. All rows: `summary.csv`; figure: `summary.png`.", ""]
    if {"method", "loss", "accuracy"} <= set(table.columns):
        for method, rows in table.groupby("method", sort=False):
            loss, accuracy = rows["loss"].dropna().median(), rows["accuracy"].dropna().median()
            lines.append(f"- **{method}**: median loss {loss:.4f}, accuracy {accuracy:.3f} ({_runs(rows)})")
    return "\n".join(lines)


def _runs(table: pd.DataFrame) -> str:
    return f"{len(table)} run{'s' * (len(table) != 1)}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
