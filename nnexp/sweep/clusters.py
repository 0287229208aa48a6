"""Engines on other machines, or processes that they start here: Dask and Ray."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

import joblib

from nnexp.sweep.calls import EngineError, Outcome, Pin, call, package, pin

LOG = logging.getLogger(__name__)

ANSWER_SECONDS = 10
"""How long a scheduler may take to answer."""

LOOK_SECONDS = 1.0
"""How often a Dask cluster's workers are counted; they may come and go."""


class Dask:
    """Threads of the workers of a Dask cluster; Dask itself begins again what a dead worker had."""

    def __init__(self, n_jobs: int, address: str | None) -> None:
        distributed = package("distributed", "dask")
        self.lost: tuple[type[BaseException], ...] = (distributed.KilledWorker, CancelledError)
        self._most = n_jobs if n_jobs > 0 else None
        try:
            if address is None:
                jobs = joblib.cpu_count() if self._most is None else self._most
                self._client = distributed.Client(
                    n_workers=jobs, threads_per_worker=1, dashboard_address=None, set_as_default=False
                )
            else:
                self._client = distributed.Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            line = str(error).splitlines()[0]
            raise EngineError(
                f"address={address}: expected a Dask scheduler that answers ({line})"
            ) from error
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
        # Workers of one machine share its cores, whichever of them takes the call.
        jobs = max(self._threads.values(), default=1)
        future: Future[Outcome] = self._executor.submit(call, function, task, Pin(self._pinned.most, jobs))
        return future

    def close(self) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


def host(address: str) -> str:
    """The machine of a worker's address.

    >>> host("tcp://10.0.0.7:41234")
    '10.0.0.7'
    """
    return address.rpartition("://")[2].rpartition(":")[0]


class Ray:
    """Cores of a Ray cluster, one a call."""

    def __init__(self, n_jobs: int, address: str | None) -> None:
        self._ray = ray = package("ray", "ray")
        # Further up it is an error of Ray's own making, not of the worker.
        self.lost: tuple[type[BaseException], ...] = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
        )
        self._most = n_jobs if n_jobs > 0 else None
        self._own = not ray.is_initialized()
        if self._own:
            local = {"num_cpus": self._most or joblib.cpu_count(), "include_dashboard": False}
            try:
                ray.init(address=address or "local", log_to_driver=False, **({} if address else local))
            except (OSError, ValueError, RuntimeError) as error:
                line = str(error).splitlines()[0]
                raise EngineError(
                    f"address={address}: expected a Ray cluster that answers ({line})"
                ) from error
        self._call = ray.remote(call).options(num_cpus=1, max_retries=0)
        self._running: list[Any] = []
        self._pinned = Pin(1, 1)

    def width(self) -> int:
        cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return cores if self._most is None else min(self._most, cores)

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        reference = self._call.remote(function, task, self._pinned)
        self._running.append(reference)
        future: Future[Outcome] = reference.future()
        return future

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        if self._own:
            self._ray.shutdown()
