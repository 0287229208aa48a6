"""Milliseconds a job to compose a sweep and to write its folders, and the ratio to Hydra's own composition.

``python tests/benchmarks/composing.py optimizer=random,perturb,sgd 'seed=range(0,100)'`` (the defaults), on an
idle machine. What is compared: Hydra composes each job and writes its files as its basic launcher does, with a task
that only takes the plain values; its sweeper composes each job once more before, which is not counted here.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hydra_jobs import hydra_by_launcher, hydra_sweep

from nnexp.sweep.compose.composer import Composer
from nnexp.sweep.sweeper import expansion

ROUNDS = 3
HYDRA_JOBS = 30
"""Hydra's time a job does not depend on how many there are, so a part of them is enough."""


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def main(arguments: Sequence[str]) -> None:
    """Measure in turns, and print the least of each."""
    with hydra_sweep() as (loader, config):
        jobs = expansion(config, loader, arguments)[1].jobs
        some = jobs[:: max(1, len(jobs) // HYDRA_JOBS)]
        times: dict[str, list[float]] = {"composing": [], "writing": [], "hydra": []}
        for _ in range(ROUNDS):
            composer = Composer(loader, config)
            times["composing"].append(seconds(lambda made=composer: made.jobs(jobs)) / len(jobs))
            made = composer.jobs(jobs)
            times["writing"].append(seconds(lambda made=made: [job.write() for job in made]) / len(jobs))
            times["hydra"].append(
                seconds(lambda: [hydra_by_launcher(loader, config, job) for job in some]) / len(some)
            )
        least = {name: min(values) * 1e3 for name, values in times.items()}
    total = least["composing"] + least["writing"]
    print(
        f"{len(jobs)} jobs: {total:.2f} ms a job ({least['composing']:.2f} composing, {least['writing']:.2f} files)"
    )
    print(f"Hydra: {least['hydra']:.1f} ms a job, {least['hydra'] / total:.0f} times as long")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        main(sys.argv[1:] or ["optimizer=random,perturb,sgd", "seed=range(0,100)"])
