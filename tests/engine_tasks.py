"""Functions that the tests of engines hand to workers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


def square(number: int) -> int:
    return number * number


def process(_: Any) -> int:
    return os.getpid()


def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_for(file: str) -> str:
    """Tell that it began by writing this process' id to ``file``, then end when ``file + ".go"`` is there."""
    Path(file).write_text(str(os.getpid()))
    while not Path(file + ".go").exists():
        time.sleep(0.02)
    return file


def killed(task: tuple[str, int]) -> tuple[int, int]:
    """Kill its own process the first ``times`` times it is begun, then give its attempts and a process id."""
    file, times = task
    with open(file, "a") as attempts:
        attempts.write("x")
    begun = Path(file).stat().st_size
    if begun <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return begun, os.getpid()


class Awkward(Exception):
    """Cannot be copied by pickle: its arguments are not those that it is made with."""

    def __init__(self, place: str, number: int) -> None:
        super().__init__(f"{place} {number}")


def failing(number: int) -> int:
    if number == 1:
        raise KeyError("no such weight")
    if number == 2:
        raise Awkward("layer", 3)
    return number


def threads(_: Any) -> tuple[list[int], str | None]:
    """Threads of NumPy's BLAS, and what the environment says; SciPy, where it is loaded, brings one of its own."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    counts = [pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]]
    return counts, os.environ.get("OPENBLAS_NUM_THREADS")
