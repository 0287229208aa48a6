"""What checkpoints cost: milliseconds and megabytes of one, and its share of the default 30 s.

``python tests/benchmarks/checkpoints.py``. A group is trained for some seconds, then its checkpoint and the files of
its runs so far are written again and again: processor time, and time with the wait for the disk. Above 2 % of
training checkpoints are rarer than every 30 s.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

from nnexp.config.schema import Config, Tracking, from_mapping
from nnexp.tracking import journal
from nnexp.tracking.environment import environment
from nnexp.tracking.outcome import files_so_far
from nnexp.training import Group
from nnexp.training.checkpoint import Checkpoint, Key
from nnexp.training.prepare import prepare_group

ROUNDS, SECONDS = 7, 3.0
CASES = {
    "sgd 2-64-3, 64 runs": ({"optimizer": {"name": "sgd"}}, 64),
    "adam 2-64-3, batches of 32, 64 runs": ({"optimizer": {"name": "adam", "batch_size": 32}}, 64),
    "perturb 2-64-3, 8 runs": ({"optimizer": {"name": "perturb"}}, 8),
    "annealing 2-64-3, alone": ({"optimizer": {"name": "annealing"}}, 1),
    "cma_es 2-64-3, alone": ({"optimizer": {"name": "cma_es"}}, 1),
    "adam 2-512-512-3, alone": (
        {"optimizer": {"name": "adam"}, "architecture": {"name": "mlp", "hidden": [512, 512]}},
        1,
    ),
    "lbfgs 2-256-256-3, alone": (
        {"optimizer": {"name": "lbfgs"}, "architecture": {"name": "mlp", "hidden": [256, 256]}},
        1,
    ),
}


def config(changes: dict[str, object], seed: int) -> Config:
    values: dict[str, object] = {
        "architecture": {"name": "mlp", "hidden": [64]}, "dataset": {"name": "spiral"},
        "loss": {"name": "cross_entropy"}, "seed": seed, "budget": {"iterations": 10**8},
    }  # fmt: skip
    return from_mapping(values | changes)


def main() -> None:
    every = Tracking().checkpoint_seconds
    assert every is not None
    print(f"{'group':40} {'MB':>7} {'CPU ms':>8} {'ms':>8} {'% of ' + f'{every:.0f} s':>10}")
    for name, (changes, runs) in CASES.items():
        configs = [config(changes, seed) for seed in range(runs)]
        group = Group(prepare_group((one, None, 20) for one in configs))
        until = perf_counter() + SECONDS
        for _ in group.blocks():
            if perf_counter() > until:
                break
        with tempfile.TemporaryDirectory() as place:
            keys = [Key(str(run), "", None) for run in range(runs)]
            checkpoint = Checkpoint(Path(place) / "checkpoints", group, keys, every)
            times, work, machine = [], [], environment()
            for _ in range(ROUNDS):
                begun, computed = perf_counter(), process_time()
                checkpoint.write()
                for number, run in enumerate(group.runs):
                    contents = files_so_far(run, configs[number], machine)
                    journal.keep_so_far(Path(place) / f"{number}{journal.RUN}", contents)
                times.append(perf_counter() - begun)
                work.append(process_time() - computed)
            size = sum(file.stat().st_size for file in Path(place).rglob("*") if file.is_file()) / 1e6
        took = median(times)
        print(
            f"{name:40} {size:7.2f} {1e3 * median(work):8.1f} {1e3 * took:8.1f} {100 * took / every:10.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
