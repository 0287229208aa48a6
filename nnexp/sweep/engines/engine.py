"""Tasks run by an engine: this process, other processes, threads, or a Dask or Ray cluster.

joblib's own ``Parallel`` loses the whole call when one loky worker or Ray actor is killed, and can hang when a Dask
worker is killed. So engines are used through their futures, and loky is the copy in joblib.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any, TypeVar

import joblib

from nnexp.sweep.engines.calls import Engine, EngineError, Outcome, call, interrupts_blocked, package, pin

__all__ = ["BACKENDS", "EngineError", "check_engine", "run_tasks"]

LOG = logging.getLogger(__name__)

Task = TypeVar("Task")
Function = Callable[[Any], Any]

BACKENDS = ("loky", "threading", "sequential", "dask", "ray")
CLUSTERS = {"dask": "distributed", "ray": "ray"}

MOST_WORKERS = 1024
"""The most processes or threads of one command."""

POLL_SECONDS = 0.1
"""Time between two calls of ``stop`` while tasks run."""


def run_tasks(
    function: Callable[[Task], Any],
    tasks: Sequence[Task],
    *,
    backend: str = "loky",
    n_jobs: int = 1,
    address: str | None = None,
    retries: int = 2,
    stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Any]]:
    """Yield ``(position, function(task))`` for each of ``tasks`` as it completes, in any order, once each.

    An exception of the function is yielded as its task's result, with the worker's traceback as a note. A task whose
    worker dies is started again, up to ``retries`` times; then the engine's exception is its result. Other tasks are
    not affected. So a call may run more than once, and its outputs must allow that. Workers ignore SIGINT, which a
    terminal sends to them too: the caller decides when tasks end. Workers continue while the caller handles a result.
    Closing the iterator ends the workers at once.

    Args:
        function: importable, or a closure that cloudpickle can copy, as the tasks and results must be.
        backend: one of :data:`BACKENDS`.
        n_jobs: most tasks at once; -1 for all cores, or all threads of a cluster. A single loky or threading
            job runs in this process and thread.
        address: of a Dask scheduler or a Ray cluster; None starts one with ``n_jobs`` workers here.
        stop: called ten times a second, possibly by another thread. When it returns true no further task starts, and
            the iterator ends when the running ones have ended. Tasks that were not yielded were not done.

    Raises:
        EngineError: an unknown backend, a package that is missing, a cluster that does not answer.
    """
    _check(backend, n_jobs, address)
    if retries < 0:
        raise EngineError(f"retries={retries}: expected 0 or more")
    jobs = min(_jobs(n_jobs), len(tasks))
    if backend not in CLUSTERS and (backend == "sequential" or jobs <= 1):
        return _here(function, tasks, stop)
    return _elsewhere(lambda: _open(backend, n_jobs, address, jobs), function, tasks, retries, stop)


def check_engine(backend: str, n_jobs: int = 1, address: str | None = None, ask: bool = True) -> None:
    """Raise the errors of :func:`run_tasks` before anything is started.

    Args:
        ask: whether to check that a cluster answers.

    Raises:
        EngineError: an unknown backend, a package that is missing, a cluster that does not answer.
    """
    _check(backend, n_jobs, address)
    if ask and address is not None:
        with interrupts_blocked():
            _open(backend, n_jobs, address, 1).close()


def _here(
    function: Function, tasks: Sequence[Any], stop: Callable[[], bool] | None
) -> Iterator[tuple[int, Any]]:
    for position, task in enumerate(tasks):
        if stop is not None and stop():
            return
        outcome = call(function, task)
        yield position, outcome.value if outcome.error is None else outcome.error


def _elsewhere(
    start: Callable[[], Engine],
    function: Function,
    tasks: Sequence[Any],
    retries: int,
    stop: Callable[[], bool] | None,
) -> Iterator[tuple[int, Any]]:
    if not len(tasks):
        return
    with interrupts_blocked():
        engine = start()
        dispatcher = _Dispatcher(engine, function, tasks, retries, stop)
        # A thread submits tasks, so that workers need not wait for the caller.
        thread = threading.Thread(target=dispatcher.run, name="nnexp-engine", daemon=True)
        thread.start()
    try:
        while (item := dispatcher.results.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        dispatcher.close()
        thread.join()


class _Dispatcher:
    """Submits tasks to an engine and puts ``(position, result)`` into ``results``, at the end None."""

    def __init__(
        self,
        engine: Engine,
        function: Function,
        tasks: Sequence[Any],
        retries: int,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.engine, self.function, self.tasks, self.retries, self.stop = (
            engine, function, tasks, retries, stop,
        )  # fmt: skip
        self.waiting = deque((position, 0) for position in range(len(tasks)))
        self.running: dict[Future[Outcome], tuple[int, int]] = {}
        self.results: queue.Queue[tuple[int, Any] | BaseException | None] = queue.Queue()
        self.closed: Future[Any] = Future()

    def close(self) -> None:
        """End :meth:`run` now."""
        self.closed.set_result(None)

    def run(self) -> None:
        """Run until all tasks are done, or it is stopped or closed; then end the engine, while the caller continues."""
        try:
            while not self.closed.done():
                stopped = self._begin()
                if not self.running and (stopped or not self.waiting):
                    break
                done = wait([*self.running, self.closed], POLL_SECONDS, FIRST_COMPLETED).done - {self.closed}
                while done:
                    # No reference is kept: Dask would compute lost results again as long as there is one.
                    self._ended(done.pop())
        except BaseException as error:
            self.results.put(error)
        try:
            self.engine.close()
        except BaseException as error:
            self.results.put(error)
        self.results.put(None)

    def _begin(self) -> bool:
        """Start as many tasks as the engine can run; True if no further task may start."""
        width = self.engine.width()
        while not (stopped := self.stop is not None and self.stop()):
            # Limits the number of results that wait for a slow caller.
            full = len(self.running) >= width or self.results.qsize() > 2 * width
            if full or not self.waiting or self.closed.done():
                break
            position, losses = self.waiting.popleft()
            self.running[self.engine.submit(self.function, self.tasks[position])] = position, losses
        return stopped

    def _ended(self, future: Future[Outcome]) -> None:
        position, losses = self.running.pop(future)
        try:
            outcome = future.result()
        except Exception as error:
            lost = isinstance(error, (CancelledError, *self.engine.lost))
            if lost and losses < self.retries:
                LOG.warning(
                    "the worker of task %d was lost; the task starts again: %s", position, _line(error)
                )
                self.waiting.appendleft((position, losses + 1))
            else:
                self.results.put((position, error))
        else:
            self.results.put((position, outcome.value if outcome.error is None else outcome.error))


def _line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _check(backend: str, n_jobs: int, address: str | None) -> None:
    if backend not in BACKENDS:
        raise EngineError(f"backend={backend}: expected one of {', '.join(BACKENDS)}")
    if n_jobs != -1 and not 1 <= n_jobs <= MOST_WORKERS:
        raise EngineError(f"n_jobs={n_jobs}: expected 1 to {MOST_WORKERS}, or -1 for all cores")
    if backend in CLUSTERS:
        package(CLUSTERS[backend], backend)
    elif address is not None:
        raise EngineError(
            f"address={address}: only used with backend=dask or ray, not with backend={backend}"
        )


def _jobs(n_jobs: int) -> int:
    return joblib.cpu_count() if n_jobs == -1 else n_jobs


def _open(backend: str, n_jobs: int, address: str | None, jobs: int) -> Engine:
    if backend in CLUSTERS:
        from nnexp.sweep.engines import clusters

        made: Engine = (clusters.Dask if backend == "dask" else clusters.Ray)(n_jobs, address)
        return made
    from nnexp.sweep.engines.local import Loky, Threads

    pinned = pin(jobs)
    LOG.info("%s: %d workers, %d BLAS threads each", backend, jobs, pinned.threads)
    return Loky(jobs, pinned) if backend == "loky" else Threads(jobs, pinned)
