"""Real processes of the command line, and what they left in the store."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stores import copy_new_stores, new_store

SMALL = ("budget.iterations=60", "dataset.samples=20", "dataset.test_samples=10", "tracking=lean")

LONG = (
    *("--config-dir", str(Path(__file__).parent / "waiting" / "conf"), "loss=waiting"),
    *("budget.iterations=null", "budget.evaluations=20000"),
    *("dataset.samples=50", "architecture.hidden=[3]"),
    *("tracking=lean", "tracking.flush_seconds=0.2", "hydra.launcher.group=1"),
)
"""Searches whose rows are sent soon; begun by :func:`start`, each waits four seconds and computes little."""

WAITING = "2e-4"
"""Seconds for each network that their loss is computed of."""

ENDLESS = (*LONG, "budget.evaluations=null", "budget.seconds=100")
"""Searches that a test ends."""


def nnexp(
    place: Path, *arguments: str, module: str = "nnexp.run", **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` of a module in ``place``."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=300, check=False, **options
    )


def sync(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m nnexp.sync`` in ``place``, in this process."""
    from nnexp.sync import main

    copy_new_stores()
    folder, out, err = Path.cwd(), io.StringIO(), io.StringIO()
    os.chdir(place)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
    finally:
        os.chdir(folder)
    return subprocess.CompletedProcess(list(arguments), code, out.getvalue(), err.getvalue())


def here(
    place: Path, *arguments: str, recorder: bool = False, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same in this process, an eighth of the cost: where exit code, words, files or records are the fact.

    Args:
        recorder: whether a sweep may have a process that records; else a thread of this one does.
        env: the environment; None for this process's own.

    A sweep's runs are trained here too, unless ``hydra.launcher.n_jobs`` asks for more than one worker.
    """
    from hydra.core.global_hydra import GlobalHydra

    from nnexp import tracking
    from nnexp.config import places
    from nnexp.run import main
    from nnexp.sweep.recording import process

    for name in ("cli.ends", "cli.summary", "pictures.one_run"):
        # Loaded once, not by each sweep from its own copy of the source.
        importlib.import_module(f"nnexp.{name}")
    copy_new_stores()
    folder, variables, paths, added = Path.cwd(), dict(os.environ), list(sys.path), list(places._ADDED)
    made_recorder, handlers, level = process.recorder, list(logging.root.handlers), logging.root.level
    out, err = io.StringIO(), io.StringIO()
    if env is not None:
        os.environ.clear()
        os.environ.update(env)
        # It sets how MLflow behaves when it is loaded.
        importlib.reload(tracking)
    # One worker is this process itself.
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
    if not recorder:
        process.recorder = process.RecordingHere
    os.chdir(place)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(list(arguments))
    finally:
        os.chdir(folder)
        process.recorder = made_recorder
        os.environ.clear()
        os.environ.update(variables)
        sys.path[:], places._ADDED[:] = paths, added
        places.option_values_in.cache_clear()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(place)):
                del sys.modules[name]
        GlobalHydra.instance().clear()
        for handler in set(logging.root.handlers) - set(handlers):
            # Hydra's own, whose files are open.
            handler.close()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    return subprocess.CompletedProcess(list(arguments), code, out.getvalue(), err.getvalue())


def made_store(place: Path) -> None:
    """Make the store of commands in ``place``, so that they can record as soon as they train."""
    new_store(place / "runs" / "mlflow.db")


def runs(place: Path, kind: str = "run") -> list[Any]:
    """Runs of the store that commands leave in ``place``, oldest first, those of a sweep by their jobs."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place / 'runs' / 'mlflow.db'}")
    found = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        f"tags.`nnexp.kind` = '{kind}'",
        order_by=["attributes.start_time ASC"],
    )
    return sorted(found, key=lambda run: int(run.data.tags.get("nnexp.job", 0)))


def start(place: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Begin ``python -m nnexp.run`` in ``place``."""
    options["env"] = {**(options.get("env") or os.environ), "WAITING_SECONDS": WAITING}
    return subprocess.Popen(
        [sys.executable, "-m", "nnexp.run", *arguments],
        cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def in_store(place: Path, query: str) -> list[Any]:
    """Rows of a query to the store's file, none while it is being made; MLflow's client would make it itself."""
    try:
        with sqlite3.connect(f"file:{place}/runs/mlflow.db?mode=ro", uri=True) as store:
            return store.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []


def running(place: Path) -> list[Any]:
    """Runs of the store that are RUNNING and have a metric."""
    return in_store(
        place,
        "select distinct runs.run_uuid from runs join metrics using (run_uuid) where status = 'RUNNING'",
    )


def wait_for(fact: Callable[[], object], seconds: float = 180) -> None:
    """Wait until ``fact()`` is true."""
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.03)


def children(pid: int, what: bytes = b"popen_loky") -> list[int]:
    """Workers of a process: its children that loky made, or those with other words in their command."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(stat[1]) == pid and stat[0] != "Z" and what in command:
                found.append(int(folder.name))
    return sorted(found)


def recorders(pid: int) -> list[int]:
    """The process that records for a process, if there is one."""
    return children(pid, b"nnexp.sync")
