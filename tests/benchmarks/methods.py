"""Ratios to the notebook's own loops and to PyTorch eager, side by side in one process on one core.

Run it on an idle machine: ``python tests/benchmarks/methods.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import notebook_reference as reference
from rivals import pytorch

from nnexp.sweep.compose.jobs import compose
from nnexp.training import prepare, train

ITERATIONS = 10_000
STEPS = 2_000
ROUNDS = 5


def best(*workers: Callable[[], object]) -> list[float]:
    """The least processor time of each worker, in turns, so that a slow moment of the machine hits all."""
    times = [[] for _ in workers]
    for _ in range(ROUNDS):
        for worker, own in zip(workers, times, strict=True):
            start = process_time()
            worker()
            own.append(process_time() - start)
    return [min(own) for own in times]


def training(*overrides: str) -> Callable[[], object]:
    (config,) = compose([overrides])
    return lambda: train(config, config.tracking.log_every, config.tracking.snapshots)


def main() -> None:
    print(f"{'comparison':58} {'nnexp':>9} {'other':>9} {'ratio':>7}")
    for method, loop in (("random", reference.loop_random), ("perturb", reference.loop_perturb)):
        own = training(
            "architecture.hidden=[3]", "architecture.init_scale=0.01", f"optimizer={method}", "optimizer.scale=0.05",
            "dataset.test_samples=0", f"budget.iterations={ITERATIONS}",
        )  # fmt: skip
        ours, theirs = best(own, lambda loop=loop: loop(ITERATIONS))
        report(f"{method}, {ITERATIONS:,} iterations, to the notebook's loop", ours, theirs)
        own = training("+experiment=notebook", f"optimizer={method}")
        ours, theirs = best(own, lambda loop=loop: loop(ITERATIONS))
        report("  the same with the notebook's own draws and rounding", ours, theirs)
    for hidden in (3, 64):
        own = training(
            "optimizer=sgd", f"architecture.hidden=[{hidden}]", "dataset.test_samples=0",
            f"budget.iterations={STEPS}", "tracking.log_every=1",
        )  # fmt: skip
        (config,) = compose([[f"architecture.hidden=[{hidden}]", "dataset.test_samples=0"]])
        found = pytorch(hidden, prepare(config).problem.train, STEPS)
        if not found:
            return
        ((other, _),) = found.values()
        ours, theirs = best(own, other)
        report(f"sgd 2-{hidden}-3, {STEPS:,} steps, loss and accuracy of each, to PyTorch", ours, theirs)


def report(name: str, ours: float, theirs: float) -> None:
    print(f"{name:58} {ours:8.3f}s {theirs:8.3f}s {theirs / ours:6.1f}x")


if __name__ == "__main__":
    main()
