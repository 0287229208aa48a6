"""Work: the jobs of one command, trained one after another and recorded, with their parent run."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from nnexp.cli.progress import RunProgress
from nnexp.cli.summary import Row, print_summary
from nnexp.config import Config, digest
from nnexp.tracking import locations

if TYPE_CHECKING:
    from nnexp.tracking.mlflow_store import MlflowRun, Store

LOG = logging.getLogger(__name__)


class Work:
    """One command's runs.

    Args:
        out: where progress and the table go.
        overrides: of the whole command.
        jobs: how many there will be; None for a single run, which has no parent.
    """

    def __init__(self, out: Console, overrides: Sequence[str], jobs: int | None) -> None:
        self.out, self.overrides, self.jobs = out, list(overrides), jobs
        self.sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.rows: list[Row] = []
        self._stores: dict[tuple[str | None, str], Store] = {}
        self._parent: MlflowRun | None = None
        self._home: Store | None = None

    def store(self, config: Config) -> Store:
        """The store that a config names, opened once; MLflow is loaded here and not before.

        Raises:
            StoreError: it cannot be written or reached.
        """
        key = (config.tracking.uri, config.tracking.experiment)
        if key not in self._stores:
            # A store that cannot be is refused at once, before MLflow takes a second to load.
            locations.resolve(config.tracking.uri)
            if not self._stores:
                self._say("opening the store ...")
            from nnexp.tracking.mlflow_store import Store

            self._stores[key] = Store.open(*key)
        return self._stores[key]

    def begin(self, config: Config) -> None:
        """Open the store of a sweep and start its parent run.

        Raises:
            StoreError: it cannot be written or reached.
        """
        self._home = self.store(config)
        tags = {"nnexp.sweep_id": self.sweep_id, "nnexp.overrides": " ".join(self.overrides)}
        params = {"overrides": " ".join(self.overrides), "jobs": str(self.jobs)}
        self._parent = self._home.start_parent(f"sweep {self.sweep_id}", params, tags)

    def run(self, config: Config, session: Any, overrides: Sequence[str], log: str) -> None:
        """Train and record one job; an error fails this job alone, and is kept for the table.

        Raises:
            StoreError: the store cannot be opened.
            KeyboardInterrupt: on a signal, after the run was ended as KILLED.
        """
        store = self.store(config)
        self._home = self._home or store
        of = f"[{len(self.rows) + 1}/{self.jobs}] " if self.jobs else ""
        title = f"{of}{config.optimizer.name} seed {config.seed}"
        begun = {"id": "", "url": ""}
        tags = {"nnexp.config_hash": digest(config)}
        if self.jobs is not None:
            tags["nnexp.sweep_id"] = self.sweep_id

        def started(run_id: str, url: str) -> None:
            begun.update(id=run_id, url=url)

        try:
            from nnexp.tracking.recorder import record_session

            with RunProgress(self.out, session, title) as progress:
                result = record_session(
                    store,
                    session,
                    config,
                    run_name(config, overrides),
                    tags,
                    parent=None if self._parent is None or store is not self._home else self._parent.run_id,
                    overrides=overrides,
                    on_rows=progress.rows,
                    on_start=started,
                )
        except Exception as error:
            LOG.exception("job failed")
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._add(config, overrides, log, "failed", begun, reason)
            self._say(f"{title}: failed: {reason}")
        except BaseException:
            self._add(config, overrides, log, "killed", begun, "")
            raise
        else:
            numbers = {name: getattr(result, name) for name in Row._fields if hasattr(result, name)}
            self.rows.append(
                Row(config.optimizer.name, config.seed, " ".join(overrides), **(numbers | {"log": log}))
            )
            accuracy = "" if math.isnan(result.accuracy) else f", accuracy {result.accuracy:.3f}"
            self._say(f"{title}: {result.status}, loss {result.loss:.4f}{accuracy} in {result.seconds:.2f} s")

    def end(self, status: str = "") -> None:
        """Finish the parent run and print the table."""
        if self._parent is not None and self._home is not None:
            import pandas as pd

            status = status or ("FAILED" if self.failed else "FINISHED")
            table = pd.DataFrame(self.rows, columns=list(Row._fields))
            try:
                self._home.finish_parent(self._parent, table, status)
            except Exception as error:
                self._say(f"the parent run could not be finished: {error}")
        if self._home is None:
            return
        page = self._home.experiment_url() if self.jobs is None else self._home.sweep_url(self.sweep_id)
        print_summary(self.out, self.rows, self._home.ui_command(), page)

    @property
    def failed(self) -> bool:
        """Whether a job failed."""
        return any(row.status == "failed" for row in self.rows)

    def _add(
        self,
        config: Config,
        overrides: Sequence[str],
        log: str,
        status: str,
        begun: dict[str, str],
        reason: str,
    ) -> None:
        nan = math.nan
        method, seed = config.optimizer.name, config.seed
        numbers = (nan, nan, nan, nan, 0, 0, nan)
        row = Row(method, seed, " ".join(overrides), status, *numbers, begun["id"], begun["url"], reason, log)
        self.rows.append(row)

    def _say(self, line: str) -> None:
        self.out.print(line, highlight=False, markup=False)


def run_name(config: Config, overrides: Sequence[str]) -> str:
    """A readable name: method, seed, and what else this job overrides."""
    plain = ("seed=", "optimizer=", "tracking.", "hydra")
    others = [o.split(".")[-1] for o in overrides if not o.lstrip("+").startswith(plain)]
    return ", ".join([config.optimizer.name, f"seed {config.seed}", *others])
