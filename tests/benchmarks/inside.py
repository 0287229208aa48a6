"""The loss plane and the decision boundaries of a 2-64-3 network, beside one network at a time.

Run it on an idle machine: ``python tests/benchmarks/inside.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np

from nnexp.data import Spiral
from nnexp.inside import Trajectory, boundary_frames, loss_plane
from nnexp.losses import CrossEntropy
from nnexp.network.network import Network
from nnexp.pictures.boundary import boundary_classes
from nnexp.training.problem import Problem

ROUNDS, SIZE, SNAPSHOTS = 5, 101, 20


def paths() -> list[Trajectory]:
    """Three random walks from one start."""
    rng = np.random.default_rng(0)
    network = Network(2, (64,), 3)
    problem = Problem(network, CrossEntropy(), Spiral(classes=3).points(100, rng))
    start, zeros = network.initial(rng, 0.1), np.zeros(SNAPSHOTS)
    found = []
    for label in "abc":
        steps = 0.05 * rng.standard_normal((SNAPSHOTS - 1, start.size)).astype(np.float32)
        theta = np.cumsum(np.concatenate([start[None], steps]), axis=0, dtype=np.float32)
        found.append(Trajectory(label, problem, theta, zeros, zeros, zeros, zeros))
    return found


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    walks = paths()
    problem, path = walks[0].problem, walks[0]
    shown = loss_plane(walks, size=SIZE)
    grid = np.stack(np.meshgrid(shown.a, shown.b), axis=-1).reshape(-1, 2)
    thetas = shown.plane.theta(grid).astype(np.float32)
    jobs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        f"{SIZE} x {SIZE} loss plane": (
            lambda: loss_plane(walks, shown.plane, SIZE),
            lambda: [problem.score(theta[None]) for theta in thetas],
        ),
        f"{SNAPSHOTS} boundaries of 96 x 96": (
            lambda: boundary_frames(path, 96),
            lambda: [boundary_classes(problem, theta, 96) for theta in path.theta],
        ),
    }
    for name, pair in jobs.items():
        least = [np.inf, np.inf]
        for _ in range(ROUNDS):
            for at, job in enumerate(pair):
                start = perf_counter()
                job()
                least[at] = min(least[at], perf_counter() - start)
        together, alone = least
        print(f"{name:30} {together:6.3f} s   one at a time {alone:6.3f} s   ratio {alone / together:5.1f}")


if __name__ == "__main__":
    main()
