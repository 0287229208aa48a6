"""The interface of engines, and the call of a function in their workers."""

from __future__ import annotations

import contextlib
import importlib
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from multiprocessing import resource_tracker
from typing import Any, NamedTuple, Protocol

import joblib

from nnexp.process import blas, signals_blocked
from nnexp.sweep.engines.portable import portable

# Here, and in each worker, before another thread can import a module.
blas()


class EngineError(ValueError):
    """Invalid settings of an engine: one line with the setting, its value and what is allowed."""


class Outcome(NamedTuple):
    """The result of a call: its value, or the exception that the function raised."""

    value: Any
    error: Exception | None


class Pin(NamedTuple):
    """BLAS threads of each of ``jobs`` workers on one machine: its cores / jobs, at most ``most``."""

    most: int
    jobs: int

    @property
    def threads(self) -> int:
        """The number for the present machine, 1 or more."""
        return max(1, min(self.most, joblib.cpu_count() // self.jobs))


class Engine(Protocol):
    """A pool of workers that run calls concurrently."""

    lost: tuple[type[BaseException], ...]
    """Exceptions of a future whose worker is lost, so that the call can be repeated."""

    def width(self) -> int:
        """The most concurrent calls."""

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        """Start a call."""

    def close(self) -> None:
        """End the workers, also those with unfinished calls where possible."""


def pin(jobs: int) -> Pin:
    """The pin of ``jobs`` workers; each uses at most as many BLAS threads as this process does now."""
    return Pin(max((pool["num_threads"] for pool in blas().info()), default=joblib.cpu_count()), jobs)


def call(function: Callable[[Any], Any], task: Any, pinned: Pin | None = None) -> Outcome:
    """The function's outcome, computed with pinned BLAS threads."""
    try:
        if pinned is None:
            return Outcome(function(task), None)
        with blas().limit(limits=pinned.threads):
            return Outcome(function(task), None)
    except Exception as error:
        return Outcome(None, portable(error))


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in threads and processes that are started in this context; this thread gets it afterwards."""
    # Started first, because starting it would unblock SIGINT.
    resource_tracker.ensure_running()
    with signals_blocked(signal.SIGINT):
        yield


def package(name: str, extra: str) -> Any:
    """The module of an engine.

    Raises:
        EngineError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EngineError(
            f"backend={extra}: its package is not installed; pip install 'nnexp[{extra}]'"
        ) from error
