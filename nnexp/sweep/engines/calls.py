"""Calls: what an engine must offer, and what runs around a function in its workers."""

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

# Here, and in each worker, before another thread may import.
blas()


class EngineError(ValueError):
    """Invalid settings of an engine: one line with the setting, its value and what is allowed."""


class Outcome(NamedTuple):
    """What came of a call: its value, or the exception that the function raised."""

    value: Any
    error: Exception | None


class Pin(NamedTuple):
    """BLAS threads of each of ``jobs`` workers on one machine: its cores / jobs, at most ``most``."""

    most: int
    jobs: int

    @property
    def threads(self) -> int:
        """The number on the machine that asks, 1 or more."""
        return max(1, min(self.most, joblib.cpu_count() // self.jobs))


class Engine(Protocol):
    """Where calls run at the same time as others."""

    lost: tuple[type[BaseException], ...]
    """What a future raises whose worker is gone, so that the call may be made again."""

    def width(self) -> int:
        """Most calls at once."""

    def submit(self, function: Callable[[Any], Any], task: Any) -> Future[Outcome]:
        """Begin a call."""

    def close(self) -> None:
        """End the workers, those with unfinished calls at once where that can be."""


def pin(jobs: int) -> Pin:
    """The pin of ``jobs`` workers, which use no more BLAS threads each than this process does now."""
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
    """Threads and processes started meanwhile do not get SIGINT; this thread gets it afterwards."""
    # Starting it would let SIGINT through again.
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
        raise EngineError(f"backend={extra}: expected nnexp's extra {extra} to be installed") from error
