"""Views of MLflow's own UI on a sweep: tags of the experiment that a link opens in any profile.

A view is a tag ``mlflow.sharedViewState.KEY``. Its value contains the page twice: compressed, for MLflow 3.17, and
plain, for 3.10.
"""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from nnexp.tracking import locations
from nnexp.tracking.curve_names import TAG, curve_name
from nnexp.tracking.protocol import Shared

PREFIX = "mlflow.sharedViewState."

NOTE = "mlflow.note.content"
"""The tag with the experiment's description; MLflow shows its first line."""

MOST_VIEWS = 30
"""Most views kept: MLflow's menu shows 40."""

STEPS = {"type": "LINE", "xAxisScaleType": "log", "lineSmoothness": 0}


def share(client: Any, experiment_id: str, parent: str, shared: Shared) -> None:
    """Make the views of a sweep, drop the oldest, and put links into the first line of the experiment's description.

    Args:
        client: MLflow's.
        parent: the sweep's parent run.
    """
    tags = comparison(shared.sweep, shared.methods, shared.loss, shared.accuracy, shared.log)
    # Where no run was recorded there is none to look at.
    steps = image_steps(client, shared.run_id, "boundary") if shared.run_id else []
    if steps:
        tags |= boundaries(shared.sweep, shared.loss, max(steps))
    describe(client, experiment_id, parent, shared.sweep, "summary.md", tags)


def describe(
    client: Any,
    experiment_id: str,
    parent: str,
    sweep: str,
    file: str,
    views: Mapping[str, str] | None = None,
) -> None:
    """Set ``views``, and link to a sweep's ``file`` and views in the first line of the experiment's description."""
    there = dict(client.get_experiment(experiment_id).tags)
    known = {**there, **(views or {})}
    with_pictures = f"{PREFIX}{sweep}-boundaries" in known
    told = note(there.get(NOTE, ""), experiment_id, sweep, parent, file, with_pictures)
    for key, value in {**(views or {}), NOTE: told}.items():
        client.set_experiment_tag(experiment_id, key, value)
    for key in too_many(known):
        client.delete_experiment_tag(experiment_id, key)


def image_steps(client: Any, run_id: str, key: str) -> list[int]:
    """The steps of the picture ``key`` of a run, one for each file.

    MLflow up to 3.10 separates the parts of a file's name by ``%``, later ones by ``+``.
    """
    names = [file.path.rpartition("/")[2] for file in client.list_artifacts(run_id, "images")]
    found = [re.match(rf"{re.escape(key)}[+%]step[+%](\d+)[+%]", name) for name in names]
    return [int(match[1]) for match in found if match]


def comparison(
    sweep: str, methods: Sequence[str], loss: str, accuracy: str, log: bool = True
) -> dict[str, str]:
    """The tag of a view with charts of ``loss`` and ``accuracy`` against iterations, means by method in its colour.

    The page loads 100 runs and groups only those: sorted by seed, they are from all methods.

    Args:
        log: whether the loss has a logarithmic axis, which cannot show 0.
    """
    scale = {"scaleType": "log" if log else "linear"}
    charts = [STEPS | scale | {"uuid": loss, "metricKey": loss, "metricSectionId": "s", "range": {}}]
    if accuracy:
        range_ = {"yMin": 0, "yMax": 1}
        chart = {"uuid": accuracy, "metricKey": accuracy, "metricSectionId": "s", "scaleType": "linear"}
        charts.append(STEPS | chart | {"range": range_})
    state = _state(sweep, [loss, *([accuracy] if accuracy else [])]) | {
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": TAG}],
        },
        "groupsExpanded": {f"tag.{TAG}.{curve_name(method)}": False for method in methods},
        "compareRunCharts": charts,
        "compareRunSections": [
            _section("s", "Methods", columns=2),
            _section("m", "Model metrics", display=False),
        ],
    }
    return _tag(sweep, f"sweep {sweep}", state)


def boundaries(sweep: str, loss: str, step: int) -> dict[str, str]:
    """The tag of a view with the decision boundaries of runs side by side, with one slider that starts at ``step``."""
    # With the runs' parameters there would be no space for pictures.
    chart = {"uuid": "b", "type": "IMAGE", "imageKeys": ["boundary"], "metricSectionId": "i", "step": step}
    state = _state(sweep, [loss]) | {
        "runListHidden": True,
        "compareRunCharts": [chart | {"showRunParams": False}],
        "compareRunSections": [
            _section("i", "Decision boundaries", columns=1, cardHeight=620),
            _section("m", "Model metrics", display=False),
        ],
    }
    return _tag(f"{sweep}-boundaries", f"boundaries of {sweep}", state)


def too_many(tags: Mapping[str, str]) -> list[str]:
    """The tags' names of our oldest views, if there are more than are kept."""
    ours = sorted(key for key in tags if key.startswith(PREFIX) and key.removeprefix(PREFIX)[:8].isdigit())
    return ours[: max(0, len(ours) - MOST_VIEWS)]


def note(before: str, experiment_id: str, sweep: str, parent: str, report: str, boundaries: bool) -> str:
    """The experiment's description with a first line of links to the latest sweep; the rest is not changed.

    Args:
        report: the file with the sweep's answer among the artifacts of the run ``parent``.
    """
    base = f"#/experiments/{experiment_id}/runs"
    name = "report" if report.endswith(".html") else "summary"
    links = [
        f"[{name}]({base}/{parent}/artifacts/{report}?{locations.TRAINING})",
        f"[methods compared]({base}?{locations.share_query(sweep)})",
    ]
    if boundaries:
        links.append(f"[decision boundaries]({base}?{locations.share_query(f'{sweep}-boundaries')})")
    line = f"**Latest sweep {sweep}:** " + " · ".join(links)
    rest = before.split("\n", 1)[1] if before.startswith("**Latest sweep ") and "\n" in before else before
    rest = "" if rest.startswith("**Latest sweep ") else rest
    return f"{line}\n{rest}" if rest else line


def _state(sweep: str, metrics: Sequence[str]) -> dict[str, Any]:
    """The fields of every view of a sweep's runs; MLflow 3.10 fails if one is missing."""
    return {
        "searchFilter": f"tags.`nnexp.sweep_id` = '{sweep}' and tags.`nnexp.kind` = 'run'",
        "orderByKey": "params.`seed`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            "params.`optimizer.name`",
            "params.`seed`",
            *(f"metrics.`{name}`" for name in metrics),
        ],
        "groupBy": None,
        "groupsExpanded": {},
        "runsHiddenMode": "SHOW_ALL",
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "isAccordionReordered": True,
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "viewMaximized": False,
        "runListHidden": False,
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _section(uuid: str, name: str, display: bool = True, **more: Any) -> dict[str, Any]:
    return {"uuid": uuid, "name": name, "display": display} | more


def _tag(key: str, name: str, state: dict[str, Any]) -> dict[str, str]:
    packed = "deflate;" + base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    named = {"name": name, "createdAt": int(time.time() * 1000), "state": packed}
    return {PREFIX + key: json.dumps(state | named, separators=(",", ":"))}
