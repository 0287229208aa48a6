"""The MLflow store: an SQLite file created on first use, or any MLflow server."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_SOURCE_TYPE, MLFLOW_USER

from nnexp.tracking import files, locations
from nnexp.tracking.claim import CLAIM, ONLY, SETTLE_SECONDS, Claim
from nnexp.tracking.connections import PART, alias, close, look_after
from nnexp.tracking.environment import environment, environment_tags
from nnexp.tracking.heartbeat import heartbeat
from nnexp.tracking.locations import StoreError, StoreFull, StoreLost, SweepTaken
from nnexp.tracking.mlflow_run import LONGEST_KEY, LONGEST_TAG, MlflowRun, cut
from nnexp.tracking.moved import follow_move
from nnexp.tracking.pages import Pages
from nnexp.tracking.protocol import BROUGHT_IN, milliseconds
from nnexp.tracking.servers import ask_health, refused

LOG = logging.getLogger(__name__)

PAGE = 1000
"""Runs in one response of the store."""

for _name in ("alembic", "mlflow"):
    logging.getLogger(_name).setLevel(logging.ERROR)
# It prints the traceback of an error that it raises again; the caller reports it in one line.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


class Store(Pages):
    """One experiment of an MLflow store; made by :meth:`open`."""

    def __init__(self, uri: str, experiment: str, experiment_id: str, client: MlflowClient) -> None:
        super().__init__(uri, experiment, experiment_id)
        self.client = client
        self.claim: Claim | None = None
        self._file = locations.database(uri)
        self._identity = _identity(self._file)

    def check(self) -> None:
        """Check that this is still the store that was opened, and that the sweep is still this command's.

        Raises:
            StoreLost: its file was deleted, renamed or replaced; nobody would see later writes.
            SweepTaken: another process has continued the sweep.
        """
        if _identity(self._file) != self._identity:
            raise StoreLost(
                f"tracking.uri={self.uri}: the file was deleted or replaced while the command was running"
            )
        if self.claim is not None:
            self.claim.check()

    @classmethod
    def open(cls, uri: str | None, experiment: str) -> Store:
        """Open the store; create file, tables and experiment if they do not exist.

        Processes that open it at the same time wait for the first one. Artifacts of an SQLite file are in
        ``artifacts/`` next to it.

        Raises:
            StoreError: the place cannot be written, the server does not answer, or the experiment was deleted.
        """
        uri = locations.resolve(uri)
        if not experiment.strip():
            raise StoreError(f"tracking.experiment={experiment!r}: expected a name")
        file = locations.database(uri)
        # Else MLflow's attempts to read another file take minutes, and leave more files.
        locations.look(uri)
        try:
            with warnings.catch_warnings(), _locked(file):
                # MLflow's libraries warn of each other's deprecations, which a user cannot change.
                warnings.simplefilter("ignore")
                if file is None:
                    ask_health(uri)
                elif not file.exists():
                    _make(file)
                client = open_client(uri)
                experiment_id = _experiment(client, experiment, file)
        except StoreError:
            raise
        except Exception as error:
            raise _refused(uri, error) from error
        return cls(uri, experiment, experiment_id, client)

    def answer(self) -> None:
        """Check that the store can be reached.

        Raises:
            StoreError: it cannot be reached.
        """
        if self._file is None:
            ask_health(self.uri)
        self.check()

    def start(
        self,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        parent: str | None = None,
        started: int | None = None,
    ) -> MlflowRun:
        """Start a run at ``started`` (ms since 1970), else now, as a child of ``parent`` if given."""
        own = {MLFLOW_SOURCE_TYPE: "LOCAL", MLFLOW_USER: _user(), "mlflow.source.name": "nnexp.run"}
        own |= {key[:LONGEST_KEY]: cut(str(value), LONGEST_TAG) for key, value in tags.items()}
        if parent:
            own[MLFLOW_PARENT_RUN_ID] = parent
        started = milliseconds() if started is None else started
        self.check()
        info = self.client.create_run(self.experiment_id, started, own, name[:LONGEST_KEY]).info
        run = MlflowRun(self, info)
        try:
            run.record(params=params)
        except BaseException as error:
            try:
                run.finish("FAILED" if isinstance(error, Exception) else "KILLED")
            except Exception as still:
                LOG.warning("the end of run %s could not be recorded (%s)", run.run_id, _line(still))
            raise
        return run

    def tell_of_earlier_runs(self) -> None:
        """Say that runs of earlier came into the experiment: they are not among those begun or ended lately."""
        self.client.set_experiment_tag(self.experiment_id, BROUGHT_IN, str(milliseconds()))

    def search(self, condition: str) -> list[Any]:
        """All runs of the experiment that meet a condition, as MLflow gives them, oldest first."""
        runs: list[Any] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                condition,
                max_results=PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            runs += page
            token = page.token
            if not token:
                return runs

    def has_results(self, run: Any) -> bool:
        """Whether a run (of MLflow) has its history and weights; local files are looked at, see :func:`are_whole`."""
        folder = locations.local_folder(run.info.artifact_uri)
        if folder is not None:
            return files.are_whole(folder)
        there = {file.path for file in self.client.list_artifacts(run.info.run_id)}
        return {files.HISTORY_FILE, files.WEIGHTS_FILE} <= there

    def file(self, run: Any, name: str, folder: Path) -> Path:
        """An artifact of a run (of MLflow) as a local file, downloaded to ``folder`` if the store is remote."""
        local = locations.local_folder(run.info.artifact_uri)
        if local is not None:
            return local / name
        return Path(self.client.download_artifacts(run.info.run_id, name, str(folder)))

    def run(self, run_id: str) -> MlflowRun:
        """An existing run, to add to."""
        return MlflowRun(self, self.client.get_run(run_id).info)

    def start_parent(
        self, name: str, params: Mapping[str, str], tags: Mapping[str, str], started: int | None = None
    ) -> MlflowRun:
        """Start the parent run of a multirun; its children are started with its id."""
        own = environment_tags(environment()) | {"nnexp.kind": "sweep"} | heartbeat()
        return self.start(name, params, own | dict(tags), started=started)

    def start_only_parent(
        self,
        key: str,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        started: int | None = None,
    ) -> MlflowRun:
        """Start the parent run of a multirun that no parent run had before, by the tag ``key``.

        Of processes that start one at the same time, one remains.

        Raises:
            SweepTaken: another process was faster.
        """
        begun = perf_counter()
        run = self.start_parent(name, params, tags, started)
        # By then a process that searched before this run existed has written that it remains.
        sleep(SETTLE_SECONDS + 3 * (perf_counter() - begun))
        for other in self.search("tags.`nnexp.kind` = 'sweep'"):
            found, order = other.data.tags, (other.info.start_time, other.info.run_id)
            if other.info.run_id == run.run_id or found.get(key) != tags[key]:
                continue
            if ONLY in found or order < (run.started, run.run_id):
                self.client.delete_run(run.run_id)
                raise SweepTaken(
                    f"sweep {found['nnexp.sweep_id']}: {found['nnexp.process']} has started it at the same time; "
                    f"this command ends"
                )
        run.record(tags={ONLY: "true"})
        return run

    def resume_parent(self, run_id: str, token: str) -> MlflowRun:
        """The parent run of a multirun to continue: RUNNING again, and claimed.

        Raises:
            SweepTaken: another process was faster.
        """
        begun = perf_counter()
        self.client.update_run(run_id, status="RUNNING")
        run = self.run(run_id)
        run.record(tags=heartbeat() | {CLAIM: token})
        # By then a simultaneous claim is written, and the previous owner's last call has ended.
        sleep(SETTLE_SECONDS + 3 * (perf_counter() - begun))
        self.claim = Claim(run, token)
        self.claim.check()
        return run


def _identity(file: Path | None) -> tuple[int, int] | None:
    try:
        return None if file is None else (file.stat().st_dev, file.stat().st_ino)
    except OSError:
        # Deleted or unreachable: not the file that was opened.
        return None


def open_client(uri: str) -> MlflowClient:
    """MLflow's client of a resolved URI, whose connections are closed at the process's end."""
    look_after()
    file = locations.database(uri)
    if file is not None and locations.needs_alias(file):
        uri = f"sqlite:///{alias(file.parent) / file.name}"
    return MlflowClient(tracking_uri=locations.reveal(uri))


def find_run(client: MlflowClient, run_id: str) -> Any:
    """MLflow's run of this id, None if there is none."""
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _experiment(client: MlflowClient, name: str, file: Path | None) -> str:
    artifacts = None if file is None else file.parent / "artifacts"
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            location = None if artifacts is None else artifacts.as_uri()
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            # Another client of the server may have been faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise StoreError(f"tracking.experiment={name}: {_line(error)}") from error
    if found.lifecycle_stage != "active":
        raise StoreError(
            f"tracking.experiment={name}: the experiment was deleted in MLflow; restore it or "
            f"choose another name"
        )
    if file is not None and artifacts is not None:
        follow_move(file, artifacts, str(found.artifact_location))
    return str(found.experiment_id)


@contextlib.contextmanager
def _locked(file: Path | None) -> Iterator[None]:
    """Hold the lock next to the database file, whose folder is created first; does nothing for a server."""
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and not os.access(file, os.W_OK):
        raise PermissionError(f"{file} is read-only")
    with open(file.with_name(file.name + ".lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(file: Path) -> None:
    """Create an SQLite store atomically: MLflow cannot use a half created one."""
    part = file.with_name(f".{file.name}{PART}")
    _remove(part)
    try:
        open_client(f"sqlite:///{part}").search_experiments(max_results=1)
        if locations.on_local_disk(part):
            # The file keeps this mode: a commit syncs once instead of twice, and does not wait for readers.
            with contextlib.closing(sqlite3.connect(part)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        with open(part, "rb") as made:
            os.fsync(made.fileno())
    except BaseException:
        close()
        _remove(part)
        raise
    # Left by a renamed or deleted file: SQLite would apply its transactions to the new one.
    _remove(file)
    part.replace(file)


def _remove(file: Path) -> None:
    """Remove an unused SQLite file, with its log files."""
    for end in ("", "-journal", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _refused(uri: str, error: BaseException) -> StoreError:
    file = locations.database(uri)
    if file is None:
        return refused(uri, _line(error))
    if _full(error):
        return StoreFull(f"{file.parent}: the folder cannot be written ({_line(error)})")
    return locations.refused(uri, _line(error))


def _full(error: BaseException | None) -> bool:
    """Whether a full disk is the first cause of an error."""
    while error is not None:
        if (
            getattr(error, "errno", None) == errno.ENOSPC
            or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _line(error: BaseException) -> str:
    lines = locations.conceal(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
