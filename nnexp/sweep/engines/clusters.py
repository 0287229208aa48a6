"""Engines of clusters, Dask and Ray, which may also run on this machine."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import joblib

from nnexp.sweep.engines.calls import EngineError, Outcome, Pin, call, package, pin

ANSWER_SECONDS = 10
"""How long a scheduler may take to answer."""

LOOK_SECONDS = 1.0
"""Time between two counts of a cluster's workers, which may change."""


class Dask:
    """Threads of a Dask cluster's workers; calls of a dead worker are first repeated by Dask itself."""

    def __init__(self, n_jobs: int, address: str | None) -> None:
        distributed = package("distributed", "dask")
        self.lost: tuple[type[BaseException], ...] = (distributed.KilledWorker, CancelledError)
        self._most = n_jobs if n_jobs > 0 else None
        self._cluster: Any = None
        # Dask logs every connection, also in the workers that it starts.
        logging.getLogger("distributed").setLevel(logging.ERROR)
        if address is None:
            # Any client that connects can run code: only this process, with this certificate, may connect.
            security = distributed.Security.temporary()
            self._cluster = distributed.LocalCluster(
                n_workers=self._most or joblib.cpu_count(),
                threads_per_worker=1,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address="127.0.0.1:0",
                env={"DASK_LOGGING__DISTRIBUTED": "error"},
            )
        try:
            self._client = distributed.Client(
                self._cluster or address, timeout=ANSWER_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise _no_answer(address, "Dask scheduler", error) from error
        self._executor = self._client.get_executor(pure=False, retries=0)
        self._pinned = pin(1)
        self._looked = -LOOK_SECONDS
        self._threads: Counter[str] = Counter()

    def width(self) -> int:
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._threads = Counter()
            for worker, threads in self._client.nthreads().items():
                self._threads[host(worker)] += threads
            self._looked = time.monotonic()
        here = max(1, self._threads.total())
        return here if self._most is None else min(self._most, here)

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        # Workers of one machine share its cores; the worker of this call is not known yet.
        jobs = max(self._threads.values(), default=1)
        pinned = Pin(self._pinned.most, jobs)
        future: Future[Outcome] = self._executor.submit(call, function, task, pinned)
        return future

    def close(self) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close(timeout=ANSWER_SECONDS)


class Ray:
    """Cores of a Ray cluster, one for each call."""

    def __init__(self, n_jobs: int, address: str | None) -> None:
        self._ray = ray = package("ray", "ray")
        self.lost: tuple[type[BaseException], ...] = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
        )
        self._most = n_jobs if n_jobs > 0 else None
        self._own = not ray.is_initialized()
        if self._own:
            local = {"num_cpus": self._most or joblib.cpu_count(), "include_dashboard": False}
            options: dict[str, Any] = {"address": address} if address else {"address": "local"} | local
            try:
                _ask(address)
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
            except (OSError, ValueError, RuntimeError) as error:
                raise _no_answer(address, "Ray cluster", error) from error
        self._call = ray.remote(call).options(num_cpus=1, max_retries=0)
        self._running: list[tuple[Any, Future[Outcome]]] = []

    def width(self) -> int:
        cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return cores if self._most is None else min(self._most, cores)

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        reference = self._call.remote(function, task, Pin(1, 1))
        future: Future[Outcome] = reference.future()
        self._running = [(r, f) for r, f in self._running if not f.done()] + [(reference, future)]
        return future

    def close(self) -> None:
        for reference, future in self._running:
            if not future.done():
                self._ray.cancel(reference, force=True)
        if self._own:
            self._ray.shutdown()


def host(address: str) -> str:
    """The machine of a worker's address.

    >>> host("tcp://10.0.0.7:41234")
    '10.0.0.7'
    """
    return address.rpartition("://")[2].rpartition(":")[0]


def _ask(address: str | None) -> None:
    """Check that ``HOST:PORT`` answers: Ray itself would wait for minutes."""
    if found := re.search(r"([^/:]+):(\d+)$", address or ""):
        with contextlib.closing(socket.create_connection((found[1], int(found[2])), ANSWER_SECONDS)):
            pass


def _no_answer(address: str | None, kind: str, error: Exception) -> EngineError:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return EngineError(f"address={address}: expected a {kind} that answers ({line})")
