"""Each method: how near it is to its paper and to PyTorch, whether groups are equal to alone, and its time.

Run it on an idle machine: ``python tests/benchmarks/optimizers.py``. Differences in float64 are, for gradient methods,
the largest of a weight after 200 updates (L-BFGS 30) of small networks from three seeds; for gradient-free ones the
largest of what they remember after hundreds of candidates on Rosenbrock's function. Times are microseconds of processor
time for a whole step (forward, backward, update; of gradient-free methods: one candidate) and run of 2-64-3 on the
spiral's 300 samples in float32; PyTorch trains one run eagerly, with its optimizer of that name. All are pinned to one
core and one thread, and take turns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path[:0] = [str(Path(__file__).resolve().parents[at]) for at in (1, 2)]

import numpy as np
from descents import trained
from search_papers import PAPERS, difference
from test_gradient_methods import FORMULAS, TORCH, from_formula, from_torch, unlike_runs, with_everything
from test_search_methods import small

from nnexp.config.settings import load_part
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import LBFGS, SGD, GradientMethod, Method, RandomPerturbation
from nnexp.training import Budget, Group, RunSettings, prepare

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

ROUNDS, RUNS, STEPS = 5, 16, 600
SEEDS = range(3)

Worker = tuple[Callable[[], object], int]
"""What to call, and how many steps of runs one call makes."""


def ours(method: Method, runs: int) -> Worker:
    # Sixteen gradient-free runs are trained one after another: a short budget's many rows would weigh more there.
    steps = STEPS if runs == 1 or not method.needs_gradient else 100
    settings = RunSettings(
        architecture=MLP(hidden=[64]),
        dataset=Spiral(test_samples=0),
        optimizer=replace(method, learning_rate=0.001) if isinstance(method, GradientMethod) else method,
        budget=Budget(iterations=steps),
    )
    waiting = [[prepare(replace(settings, seed=seed)) for seed in range(runs)] for _ in range(ROUNDS)]
    return lambda: list(Group(waiting.pop()).train()), steps * runs


def theirs(make: Callable[[Any, Any], Any]) -> Worker:
    data = prepare(RunSettings(dataset=Spiral(test_samples=0))).problem.train
    x, y = torch.tensor(np.array(data.x).T.copy()), torch.tensor(np.array(data.y))
    torch.set_num_threads(1)

    def train() -> object:
        model = torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3))
        optimizer = make(torch.optim, list(model.parameters()))

        def closure() -> Any:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            return loss

        for _ in range(STEPS):
            optimizer.step(closure)
        return None

    return train, STEPS


def shortest(workers: dict[str, Worker]) -> dict[str, float]:
    """Microseconds of processor time a step and run: each worker's least, in turns, so that slow moments hit all."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(ROUNDS):
        for name, (work, steps) in workers.items():
            start = process_time()
            work()
            times[name].append(1e6 * (process_time() - start) / steps)
    return {name: min(own) for name, own in times.items()}


def unlike_searches(method: Method, dtype: Any) -> list[RunSettings]:
    """Runs of a gradient-free method with other seeds, scales and budgets."""
    scaled = replace(method, scale=2 * method.scale)  # type: ignore[attr-defined]
    return [
        small(method, 0, 61, dtype=dtype),
        small(scaled, 1, 40, dtype=dtype),
        small(method, 2, dtype=dtype),
    ]


def equal_alone(method: Method) -> bool:
    """Whether unlike runs, one of which diverges where it can, are the same bits in a group and alone."""
    for dtype in ("float32", "float64"):
        if isinstance(method, GradientMethod):
            groups = [unlike_runs(one, dtype) for one in (method, with_everything(method, "polyak"))]
        else:
            groups = [unlike_searches(method, dtype)]
        for settings in groups:
            for together, own in zip(trained(settings), settings, strict=True):
                (alone,) = trained([own])
                if not np.array_equal(alone.final_theta, together.final_theta, equal_nan=True):
                    return False
    return True


def main() -> None:
    methods = {name: method for name, (method, _) in (FORMULAS | TORCH).items()}
    methods |= {
        "lbfgs_backtrack": LBFGS(),
        "sgd_average": SGD(average="polyak"),
        "sgd_clip": SGD(clip_norm=1.0),
    }
    searches = {name: load_part("optimizer", name.removesuffix("_one_fifth"), Method) for name in PAPERS}
    searches["perturb_one_fifth"] = RandomPerturbation(one_fifth=True)
    methods |= searches
    print(
        f"{'method':24}{'to paper':>12}{'to PyTorch':>12}  group = alone {'alone':>9}{f'{RUNS} runs':>9}"
        f"{'PyTorch':>9}{'/ alone':>9}{'/ group':>9}"
    )
    for name, method in methods.items():
        far = None
        if name in PAPERS:
            far = difference(PAPERS[name]())
        elif name in FORMULAS:
            far = max(from_formula(name, seed) for seed in SEEDS)
        cells = [f"{'-':>12}" if far is None else f"{far:12.0e}"]
        known = torch is not None and name in TORCH
        cells += [f"{max(from_torch(name, seed) for seed in SEEDS):12.0e}" if known else f"{'-':>12}"]
        workers = {"alone": ours(method, 1), "group": ours(method, RUNS)}
        if known:
            workers["PyTorch"] = theirs(TORCH[name][1])
        times = shortest(workers)
        cells += [f"  {'yes' if equal_alone(method) else 'NO':13}"]
        cells += [f"{times['alone']:9.2f}{times['group']:9.2f}"]
        if known:
            eager = times["PyTorch"]
            cells += [f"{eager:9.1f}{eager / times['alone']:8.1f}x{eager / times['group']:8.1f}x"]
        print(f"{name:24}{''.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
