"""Full-batch SGD, loss and accuracy of each step: runs in a group, alone, PyTorch eager and JAX, side by side.

Run it on an idle machine: ``python tests/benchmarks/batched.py``. All are pinned to one core and one thread, and
take turns. JAX's code is ``jit(vmap(scan))`` over 32 runs: with samples in rows, as usual, and with samples in
columns, as nnexp has them. PyTorch trains one run, eagerly, and reads loss and accuracy each step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import rivals

from nnexp.config.schema import Config, from_mapping
from nnexp.training.group import Group, chunk
from nnexp.training.prepare import prepare

ROUNDS = 5
JAX_RUNS = 32
ASKED = {3: (64, 25.0, 2.0), 64: (16, 7.0, 1.3)}
"""By hidden neurons: runs of the group, times PyTorch, times JAX."""

Worker = tuple[Callable[[], object], int]
"""What to call, and how many steps of runs one call makes."""


def config(hidden: int, seed: int, steps: int) -> Config:
    return from_mapping(
        {
            "seed": seed,
            "architecture": {"name": "mlp", "hidden": [hidden]},
            "dataset": {"name": "spiral", "test_samples": 0},
            "optimizer": {"name": "sgd", "learning_rate": 1.0},
            "loss": {"name": "cross_entropy"},
            "budget": {"iterations": steps},
            "tracking": {"log_every": 1},
        }
    )


def group(hidden: int, runs: int, total: int) -> Worker:
    """``runs`` together, for about ``total`` steps of runs; preparing is left out, as compiling is for JAX."""
    steps = max(50, total // runs)
    waiting = [
        [prepare(config(hidden, seed, steps), log_every=1) for seed in range(runs)] for _ in range(ROUNDS)
    ]

    def train() -> object:
        return list(Group(waiting.pop()).train())

    return train, runs * steps


def shortest(workers: dict[str, Worker]) -> dict[str, float]:
    """Microseconds of processor time a step and run: each worker's least, in turns, so that slow moments hit all."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(ROUNDS):
        for name, (work, steps) in workers.items():
            start = process_time()
            work()
            times[name].append(1e6 * (process_time() - start) / steps)
    return {name: min(own) for name, own in times.items()}


def main() -> None:
    for hidden, (runs, over_torch, over_jax) in ASKED.items():
        data = [prepare(config(hidden, seed, 1)).problem.train for seed in range(JAX_RUNS)]
        workers = {f"nnexp, {runs} runs together": group(hidden, runs, 16_000)}
        workers |= {"nnexp, one run": group(hidden, 1, 1_000)}
        workers |= rivals.pytorch(hidden, data[0], 400) | rivals.jax(hidden, data, 100)
        times = shortest(workers)
        own = next(iter(times.values()))
        print(f"\n2-{hidden}-3, 300 samples: microseconds a step and run")
        for name, value in times.items():
            asked = {"PyTorch": over_torch, "JAX, samples in rows": over_jax}
            wanted = next((f"  asked: {ratio}x" for key, ratio in asked.items() if name.startswith(key)), "")
            print(f"  {name:44} {value:8.2f}   {value / own:5.1f}x{wanted}")
    sizes()


def sizes() -> None:
    """Which size of a group is best: the table behind ``GROUP_BYTES``."""
    counts = (1, 2, 4, 8, 16, 32, 64, 128)
    print("\nmicroseconds a step and run by runs of a group, * the size that is chosen")
    for hidden in (3, 16, 64, 256):
        times = shortest({str(count): group(hidden, count, int(8_000 / hidden**0.5)) for count in counts})
        chosen = chunk(config(hidden, 0, 1))
        nearest = str(max(count for count in counts if count <= chosen))
        cells = [f"{count}: {value:.2f}{'*' if count == nearest else ''}" for count, value in times.items()]
        print(f"  2-{hidden}-3 (at most {chosen}):  " + "  ".join(cells))


if __name__ == "__main__":
    main()
