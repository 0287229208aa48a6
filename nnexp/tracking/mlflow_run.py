"""One run in MLflow, and the calls that record it."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from nnexp.process import writing_to
from nnexp.tracking import files, locations
from nnexp.tracking.protocol import STATUSES, DatasetRecord, Rows, Shared, milliseconds, points
from nnexp.tracking.views import image_steps, share

Array = np.ndarray[Any, Any]

MOST_ENTITIES, MOST_PARAMS, MOST_TAGS = 1000, 100, 100
"""MLflow's limits for one batch: metrics, params and tags together, and the last two alone."""

LONGEST_PARAM, LONGEST_TAG, LONGEST_KEY = 6000, 5000, 250


class MlflowRun:
    """One run, always addressed by its id: MLflow's global active run is not used.

    Args:
        store: a :class:`nnexp.tracking.mlflow_store.Store`.
        info: MLflow's info of the run.
    """

    def __init__(self, store: Any, info: Any) -> None:
        self.store, self.run_id, self.started = store, str(info.run_id), int(info.start_time)
        # Next to an SQLite file, artifacts are local files.
        self._folder = locations.local_folder(info.artifact_uri) if locations.database(store.uri) else None

    def record(
        self,
        rows: Rows | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        numbers: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> None:
        """Record rows, params, tags and numbers in as few calls as MLflow's limits for a batch allow.

        Rows become metrics by iteration; their time is the start plus the seconds of training, so that
        recording a row again changes nothing. Long values are :func:`cut` to MLflow's limits.
        """
        metrics = [
            Metric(point.key, point.value, self.started + round(point.seconds * 1000), point.step)
            for point in (points(rows) if rows is not None else ())
        ]
        now = milliseconds()
        metrics += [Metric(k, float(v), now, step) for k, v in (numbers or {}).items() if np.isfinite(v)]
        # The newest first: MLflow sorts histories itself, and then sets a metric's latest value once, not each time.
        metrics.reverse()
        own = [Param(key[:LONGEST_KEY], cut(str(v), LONGEST_PARAM)) for key, v in (params or {}).items()]
        set_to = [RunTag(key[:LONGEST_KEY], cut(str(v), LONGEST_TAG)) for key, v in (tags or {}).items()]
        while metrics or own or set_to:
            some, words = own[:MOST_PARAMS], set_to[:MOST_TAGS]
            most = MOST_ENTITIES - len(some) - len(words)
            self.store.client.log_batch(self.run_id, metrics[:most], some, words)
            metrics, own, set_to = metrics[most:], own[MOST_PARAMS:], set_to[MOST_TAGS:]

    def log_artifacts(self, folder: Path) -> None:
        """Copy all files below ``folder`` to the run's artifacts."""
        self.store.client.log_artifacts(self.run_id, str(folder))

    def log_files(self, contents: Mapping[str, bytes]) -> None:
        """Record artifacts by path; local files are written directly, without a copy and a query."""
        if self._folder is not None:
            with writing_to(self._folder.parents[1]):
                files.write(self._folder, contents)
            return
        with tempfile.TemporaryDirectory(prefix="nnexp-") as place:
            files.write(Path(place), contents)
            self.log_artifacts(Path(place))

    def log_images(self, images: Iterable[tuple[int, Array]], key: str = "boundary") -> None:
        """Record ``(step, image)`` pairs as steps of the picture ``key``, which the UI shows with a slider.

        Recorded steps are kept.
        """
        client = self.store.client
        there = image_steps(client, self.run_id, key)
        for step, image in images:
            # Each step has two files, the image and a compressed one.
            if there.count(step) < 2:
                client.log_image(self.run_id, image, key=key, step=step)

    def log_dataset(self, dataset: DatasetRecord) -> None:
        """Record the data as an input of the run."""
        schema = [{"type": kind, "name": name, "required": True} for name, kind in dataset.columns]
        entity = Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type="code",
            source=json.dumps({"tags": {"mlflow.source.name": "nnexp.data"}}),
            schema=json.dumps({"mlflow_colspec": schema}),
            profile=json.dumps(dict(dataset.profile)),
        )
        tags = [InputTag("mlflow.data.context", dataset.context)]
        self.store.client.log_inputs(self.run_id, [DatasetInput(entity, tags)])

    def log_model(self, folder: Path, example: Array) -> None:
        """Record the network in ``folder``, once, as a model with a signature and the inputs ``example (N, F)``."""
        outputs = self.store.client.get_run(self.run_id).outputs
        if outputs is not None and outputs.model_outputs:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from nnexp.tracking.mlflow_model import log_model

            log_model(self.store.client, self.store.experiment_id, self.run_id, folder, example)

    def share(self, shared: Shared) -> None:
        """Make the views of the sweep with this parent, and link to them in the experiment's description."""
        share(self.store.client, self.store.experiment_id, self.run_id, shared)

    def finish(self, status: str, tags: Mapping[str, str] | None = None, ended: int | None = None) -> None:
        """Set the last tags and end the run, at ``ended`` (ms since 1970), else now.

        Raises:
            ValueError: an unknown status.
            StoreLost, SweepTaken: this process no longer owns it; see :meth:`Store.check`.
        """
        if status not in STATUSES:
            raise ValueError(f"status={status}: expected one of {', '.join(STATUSES)}")
        self.store.check()
        self.record(tags=tags)
        self.store.client.set_terminated(self.run_id, status, end_time=ended)


def cut(text: str, longest: int) -> str:
    """The text, or if it is longer than ``longest`` its beginning with a digest of the whole.

    Different texts stay different.
    """
    if len(text) <= longest:
        return text
    end = f"... (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"
    return text[: longest - len(end)] + end
