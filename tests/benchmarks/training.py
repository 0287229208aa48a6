"""What training costs in a sweep's groups and one run after another: 100 seeds x (random, perturb, sgd).

Run it on an idle machine: ``python tests/benchmarks/training.py``. Processor time on one core, without composing
and recording. Of each method one group is trained, as large as the sweep's plan for two workers makes it, and a
few runs alone, in turns; both are counted up to all seeds.
"""

from __future__ import annotations

import os
from time import process_time

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from nnexp.config.schema import Config
from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.plan import plan
from nnexp.training.group import Group
from nnexp.training.prepare import prepare

SEEDS, WORKERS, ALONE, ROUNDS = 100, 2, 6, 3


def seconds(groups: list[list[Config]]) -> float:
    """Of a run in these groups."""
    start = process_time()
    for configs in groups:
        group = Group([prepare(one, one.tracking.log_every, one.tracking.snapshots) for one in configs])
        for _ in group.train():
            pass
    return (process_time() - start) / sum(map(len, groups))


def main() -> None:
    for hidden in (3, 64):
        methods = ("random", "perturb", "sgd")
        overrides = [
            [f"optimizer={method}", f"architecture.hidden=[{hidden}]", f"seed={seed}"]
            for method in methods
            for seed in range(SEEDS)
        ]
        configs = list(compose(overrides))
        groups = [[configs[position] for position in group] for group in plan(configs, WORKERS)]
        totals = [0.0, 0.0]
        for method in methods:
            group = next(group for group in groups if group[0].optimizer.name == method)
            rounds = [(seconds([[one] for one in group[:ALONE]]), seconds([group])) for _ in range(ROUNDS)]
            one, many = (min(times) for times in zip(*rounds, strict=True))
            totals = [totals[0] + SEEDS * one, totals[1] + SEEDS * many]
            print(
                f"2-{hidden}-3 {method:8} alone {one * 1000:6.1f} ms a run, "
                f"{len(group):2} together {many * 1000:6.1f} ms: {one / many:4.2f}x",
                flush=True,
            )
        print(
            f"2-{hidden}-3 {SEEDS * len(methods)} runs: alone {totals[0]:.1f} s, in groups {totals[1]:.1f} s, "
            f"{totals[0] / totals[1]:.2f}x; on {WORKERS} cores {WORKERS * totals[0] / totals[1]:.2f}x\n"
        )


if __name__ == "__main__":
    main()
