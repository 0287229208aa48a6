"""A run's metrics in a tag: labels and directions, for readers without the metrics' classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from nnexp.losses.measures import Measure, described
from nnexp.losses.metrics import Metric

METRICS = "nnexp.metrics"


def metric_tag(metrics: Iterable[Metric]) -> dict[str, str]:
    """The tag of a run with these ``metrics``; empty without any."""
    about = described(metrics)
    return {METRICS: json.dumps(about)} if about else {}


def metrics_of(tags: Mapping[str, str]) -> dict[str, Measure]:
    """The metrics of a run with such tags, by name."""
    return {name: Measure(*about) for name, about in json.loads(tags.get(METRICS, "{}")).items()}
