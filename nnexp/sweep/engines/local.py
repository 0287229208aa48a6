"""Engines on this machine: processes and threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from nnexp.process import blas
from nnexp.sweep.engines.calls import Outcome, Pin, call

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

NICE = 10
"""The niceness of workers, so that the recording process, which all wait for at the end, has priority."""

PARENT_SECONDS = 0.5
"""Time between two checks of a worker whether its parent still runs."""


class Loky:
    """``jobs`` processes, each in its own loky pool: one that dies affects its own call only."""

    lost: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, jobs: int, pinned: Pin) -> None:
        self.jobs, self.pinned = jobs, pinned
        self._last: dict[ProcessPoolExecutor, Future[Outcome]] = {}

    def width(self) -> int:
        return self.jobs

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        for pool in [pool for pool, future in self._last.items() if future.done()]:
            try:
                future = self._last[pool] = pool.submit(call, function, task, self.pinned)
                return future
            except BrokenExecutor:
                # Its worker died, in its last call or while it was idle.
                del self._last[pool]
                pool.shutdown(wait=False)
        pool = ProcessPoolExecutor(
            max_workers=1,
            initializer=_begin_worker,
            initargs=(os.getpid(),),
            env=dict.fromkeys(THREADS, str(self.pinned.threads)),
        )
        future = self._last[pool] = pool.submit(call, function, task, self.pinned)
        return future

    def close(self) -> None:
        # Busy workers first, so that none starts to write further files.
        for pool, future in sorted(self._last.items(), key=lambda pair: pair[1].done()):
            pool.shutdown(wait=True, kill_workers=not future.done())


class Threads:
    """``jobs`` threads of this process; NumPy's computations run in parallel, Python code does not."""

    lost: tuple[type[BaseException], ...] = ()

    def __init__(self, jobs: int, pinned: Pin) -> None:
        self.jobs = jobs
        # The number of BLAS threads holds for the whole process, so it is set once for all calls.
        self._limits = blas().limit(limits=pinned.threads)
        self._pool = ThreadPoolExecutor(jobs, thread_name_prefix="nnexp")

    def width(self) -> int:
        return self.jobs

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        return self._pool.submit(call, function, task)

    def close(self) -> None:
        # A thread cannot be killed.
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._limits.restore_original_limits()


def _begin_worker(parent: int) -> None:
    """Initialize a worker: ignore SIGINT, and end when the parent is gone; loky's workers would wait forever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="nnexp-parent", daemon=True).start()
