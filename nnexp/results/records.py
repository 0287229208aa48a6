"""The store's record of one run, as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nnexp.losses.measures import BATCH_LOSS, Measure, measures
from nnexp.results.columns import COSTS, DIGEST, KEYS, MEASURING, METRICS
from nnexp.tracking.metric_tag import metrics_of

ENDED = ("FINISHED", "FAILED", "KILLED")


class Record(NamedTuple):
    """One run: MLflow's own fields, and its params, ``nnexp`` tags and last metrics."""

    run_id: str
    name: str
    status: str
    started: int
    ended: int
    artifact_uri: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]

    @classmethod
    def of(cls, run: Any) -> Record:
        """The record of one of MLflow's runs."""
        info, data = run.info, run.data
        tags = {name: text for name, text in data.tags.items() if name.startswith("nnexp.")}
        metrics = {name: float(value) for name, value in data.metrics.items() if np.isfinite(value)}
        return cls(
            info.run_id,
            info.run_name or "",
            info.status,
            int(info.start_time or 0),
            int(info.end_time or 0),
            info.artifact_uri or "",
            tags,
            dict(data.params),
            metrics,
        )

    def text(self) -> str:
        """The record as JSON."""
        return json.dumps(self)

    @classmethod
    def read(cls, text: str) -> Record:
        """The record that :meth:`text` wrote."""
        return cls(*json.loads(text))

    @property
    def over(self) -> bool:
        """Whether the run has ended, so that its record does not change any more."""
        return self.status in ENDED


def by_job(records: Sequence[Record]) -> list[Record]:
    """Sweeps and single runs in order of their starts, the runs of a sweep in order of jobs."""
    first: dict[str, int] = {}
    for record in records:
        sweep = record.tags.get("nnexp.sweep_id", record.run_id)
        first[sweep] = min(record.started, first.get(sweep, record.started))

    def place(record: Record) -> tuple[int, str, int, int]:
        sweep = record.tags.get("nnexp.sweep_id", record.run_id)
        return first[sweep], sweep, int(record.tags.get("nnexp.job", 0)), record.started

    return sorted(records, key=place)


def table(records: list[Record]) -> pd.DataFrame:
    """One row a record, params and keys as columns; see :func:`nnexp.results.load_runs`."""
    seen: dict[str, Any] = {}
    metrics: dict[str, Measure] = {}
    for record in records:
        metrics |= metrics_of(record.tags)
    known = [
        name
        for name in measures(metrics)
        if name != BATCH_LOSS or any(name in one.metrics for one in records)
    ]
    rows = pd.DataFrame([_row(record, seen, known) for record in records])
    first = [*KEYS, *known, *COSTS]
    for name in first:
        if name not in rows:
            rows[name] = pd.Series(None if name in KEYS else np.nan, index=rows.index)
    found = rows[[*first, *sorted(set(rows.columns) - set(first))]]
    found.attrs[METRICS] = metrics
    return found


def _row(record: Record, seen: dict[str, Any], known: Sequence[str]) -> dict[str, Any]:
    status = record.tags.get("nnexp.status", record.status.lower())
    ended = status != "diverged"
    values = {name: _typed(text, seen) for name, text in record.params.items()}
    row = {
        "run_id": record.run_id,
        "name": record.name,
        "status": status,
        "sweep_id": record.tags.get("nnexp.sweep_id"),
        "group": record.tags.get("nnexp.group"),
        "stopped": record.tags.get("nnexp.stopped"),
        "code": record.tags.get("nnexp.code_hash"),
        "git_commit": record.tags.get("nnexp.git_commit"),
        "method": record.tags.get("nnexp.method", values.get("optimizer.name")),
        "seed": values.pop("seed", None),
        "started": pd.Timestamp(record.started, unit="ms", tz="UTC"),
        "artifact_uri": record.artifact_uri,
        "reason": record.tags.get("nnexp.reason", ""),
    }
    row |= {name: record.metrics.get(name, np.nan) if ended else np.nan for name in known}
    row |= {name: record.metrics.get(name, np.nan) for name in COSTS}
    if "nnexp.samples" in record.tags:
        row["samples"] = int(record.tags["nnexp.samples"])
    if MEASURING in record.metrics:
        row[MEASURING] = record.metrics[MEASURING]
    if "nnexp.data" in record.tags:
        row[DIGEST] = record.tags["nnexp.data"]
    return row | values


def _typed(text: str, seen: dict[str, Any]) -> Any:
    """A param's value: number, boolean, None or list where it can be read as one, else text.

    ``seen`` is a cache: a thousand runs have few different values.
    """
    if text not in seen:
        try:
            seen[text] = json.loads(text)
        except ValueError:
            seen[text] = text
    return seen[text]
