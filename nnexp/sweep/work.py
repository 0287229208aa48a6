"""Work: the jobs of one command, trained and recorded, with their parent run."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shlex
import threading
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nnexp.config.schema import Config
from nnexp.sweep.identity import config_hash
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Row, View
from nnexp.tracking import locations
from nnexp.tracking.journal import FOLDER, RUN
from nnexp.tracking.locations import StoreLost, SweepTaken, conceal
from nnexp.tracking.outcome import reason_of
from nnexp.tracking.parent import finish_parent
from nnexp.tracking.recorder import RunResult

if TYPE_CHECKING:
    from nnexp.sweep.recording.recording import JournalParent
    from nnexp.sweep.resume import Found
    from nnexp.tracking.mlflow_store import MlflowRun, Store
    from nnexp.tracking.pages import Pages

LOG = logging.getLogger(__name__)

OPENING = "opening the store ..."


class Work:
    """One command's runs.

    Args:
        view: shows progress and the table.
        overrides: of the whole command.
        jobs: how many there will be; None for a single run, which has no parent.
    """

    def __init__(self, view: View, overrides: Sequence[str], jobs: int | None) -> None:
        self.view, self.overrides, self.jobs = view, list(overrides), jobs
        self.sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.rows: list[Row] = []
        self._limits: set[float | None] = set()
        self._stores: dict[tuple[str | None, str], Store] = {}
        self._opening = threading.Lock()
        self._parent: MlflowRun | JournalParent | None = None
        self._home: Pages | None = None
        self._lost = self._unfinished = False

    def store(self, config: Config) -> Store:
        """The store that a config names, opened once; MLflow is loaded here and not before.

        Raises:
            StoreError: it cannot be written or reached.
        """
        key = (config.tracking.uri, config.tracking.experiment)
        with self._opening:
            if key not in self._stores:
                # A store that cannot be is refused at once, before MLflow takes a second to load.
                locations.resolve(config.tracking.uri)
                if not self._stores:
                    self.view.say(OPENING)
                from nnexp.tracking.mlflow_store import Store

                self._stores[key] = Store.open(*key)
            return self._stores[key]

    def run(self, job: Trial) -> RunResult:
        """Train and record one job here; an error fails this job alone, and is kept for the table.

        Raises:
            ConfigError: settings that do not go together.
            StoreError: the store cannot be opened.
            KeyboardInterrupt: on a signal, after the run was ended as KILLED.
        """
        from nnexp.training.group import Group
        from nnexp.training.prepare import prepare

        config = job.config
        group = Group([prepare(config, config.tracking.log_every, config.tracking.snapshots)])
        self._ready()
        store = self.store(config)
        self._home = self._home or store
        claim = self._found(job)
        if claim is not None and claim.result is not None:
            return claim.result
        of = f"[{len(self.rows) + 1}/{self.jobs}] " if self.jobs else ""
        title = f"{of}{config.optimizer.name} seed {config.seed}"
        begun = {"id": "", "url": ""}
        tags = {"nnexp.config_hash": config_hash(config), "nnexp.code_hash": job.code}
        if self.jobs is not None:
            tags |= {"nnexp.sweep_id": self.sweep_id, "nnexp.job": str(job.number)}

        def started(run_id: str, url: str) -> None:
            begun.update(id=run_id, url=url)

        try:
            from nnexp.tracking.recorder import record_run

            with self.view.run(group.runs[0], title) as progress:
                result = record_run(
                    store,
                    group,
                    config,
                    job.name,
                    tags,
                    parent=self._parent_in(store),
                    overrides=job.overrides,
                    on_rows=progress.rows,
                    on_start=started,
                    runs=self.jobs or 1,
                    place=job.log.parent.absolute() / FOLDER / f"{job.number:06}{RUN}",
                )
        except SweepTaken:
            raise
        except Exception as error:
            LOG.error("job failed\n%s", conceal(traceback.format_exc()))
            reason = reason_of(error)
            result = _nothing(begun, "failed", reason)
            self._add(job, result)
            self.view.say(f"{title}: failed: {reason}")
        except BaseException:
            self._add(job, _nothing(begun, "killed", ""))
            raise
        else:
            self._add(job, result)
            self._replace(claim)
            accuracy = "" if math.isnan(result.accuracy) else f", accuracy {result.accuracy:.3f}"
            self.view.say(
                f"{title}: {result.status}, loss {result.loss:.4f}{accuracy} in {result.seconds:.2f} s"
            )
        return result

    def attach(self, folder: Path) -> None:
        """Record a folder's files with the parent run."""
        self._ready()
        if self._parent is None:
            return
        try:
            self._parent.log_artifacts(folder)
        except Exception as error:
            self.view.say(f"{folder} is not recorded with the sweep: {reason_of(error)}")

    def end(self, status: str = "") -> None:
        """Finish the parent run and print the table.

        Raises:
            StoreError: the store could not be opened.
        """
        self._ready()
        self.rows.sort(key=lambda row: row.job)
        if self._parent is not None and self._home is not None:
            import pandas as pd

            status = status or ("FAILED" if self.failed else "FINISHED")
            table = pd.DataFrame(self.rows, columns=list(Row._fields))
            try:
                limits = self._limits
                finish_parent(self._parent, table, status, limits.pop() if len(limits) == 1 else None)
            except SweepTaken:
                raise
            except Exception as error:
                self._lost, self._unfinished = isinstance(error, StoreLost), True
                self.view.say(f"the sweep's parent run could not be finished: {reason_of(error)}")
        if self._home is None:
            return
        page = self._home.experiment_url() if self.jobs is None else self._home.sweep_url(self.sweep_id)
        self.view.summary(self.rows, self._home.ui_command(), page)
        self._say_unrecorded()

    def _say_unrecorded(self) -> None:
        """Say how what the store does not have gets there."""
        places = {Path(row.log).absolute().parent / FOLDER for row in self.rows if not row.run_id}
        folders = [place for place in places if place.is_dir()]
        if folders:
            self._say_left(len(folders), Path(os.path.commonpath(folders)))

    def _say_left(self, runs: int, folder: Path) -> None:
        command = shlex.join(["python", "-m", "nnexp.sync", str(folder)])
        self.view.say(f"Not recorded: {runs} run{'s' if runs != 1 else ''}. To bring them in: {command}")

    @property
    def failed(self) -> bool:
        """Whether a job failed, or was never begun, or the sweep could not be ended."""
        return self._unfinished or any(row.status == "failed" for row in self.rows)

    def _ready(self) -> None:
        """Wait until the store is open."""

    def _found(self, job: Trial) -> Found | None:
        """What is there of the job already."""
        return None

    def _replace(self, claim: Found | None) -> None:
        """Remove what a finished job took the place of."""

    def _parent_in(self, store: Store) -> str | None:
        return None if self._parent is None or store is not self._home else self._parent.run_id

    def _add(self, job: Trial, result: RunResult) -> None:
        numbers = {name: getattr(result, name) for name in Row._fields if hasattr(result, name)}
        self._limits.add(job.config.dataset.best_accuracy())
        about = (job.number, job.config.optimizer.name, job.config.seed, " ".join(job.overrides))
        self.rows.append(Row(*about, **(numbers | {"log": str(job.log)})))


def _nothing(begun: dict[str, str], status: str, reason: str) -> RunResult:
    nan = math.nan
    return RunResult(begun["id"], begun["url"], status, nan, nan, nan, nan, nan, nan, 0, 0, nan, reason)
