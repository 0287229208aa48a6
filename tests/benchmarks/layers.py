"""Layers beside PyTorch: how exact they are, and how fast a step of training is.

Run it on an idle machine, from a checkout, where PyTorch is installed: ``python tests/benchmarks/layers.py``.

Of each layer in float64: the gradient's error against finite differences, the difference to PyTorch in training, and
how many groups of runs, in float32 and float64, equalled the runs alone in every bit. Then steps of SGD at batch 128,
pinned to one core and one thread, in turns with PyTorch eager: the least processor time of a step, with the gathering
of its batch. Parts: ``exact``, ``speed``, ``memory``; without arguments the first two.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from nnexp.calls import run
from nnexp.config.settings import setting
from nnexp.data.batches import Batches
from nnexp.data.dataset import Data, Dataset, Generators, Sizes, Split, frozen
from nnexp.losses import CrossEntropy
from nnexp.network.blas import core_name
from nnexp.network.buffers import Memory
from nnexp.network.network import Network
from nnexp.training.problem import Problem
from tests.layer_cases import CASES, NOISY, built, inputs, problem, start

BATCH, SAMPLES, ROUNDS = 128, 2560, 7

CNN = [
    *({"name": "conv2d", "channels": 8, "padding": 1}, "max_pool", "relu"),
    *({"name": "conv2d", "channels": 16, "padding": 1}, "max_pool", "relu"),
]
NETS: dict[str, tuple[tuple[int, ...], list[Any], float]] = {
    "784-512-10": ((784,), [{"name": "dense", "neurons": 512}, "relu"], 1.15),
    "CNN 8x8": ((1, 8, 8), CNN, 3.5),
    "CNN 28x28": ((1, 28, 28), CNN, 2.0),
}
"""Features, layers, and how many times as fast as PyTorch eager one run is asked to be."""

RUNS = 16


# Exactness


def exact() -> None:
    """A line a layer."""
    print(f"{'layer':24} {'error of gradient':>18} {'PyTorch':>10} {'groups equal':>14}")
    for name in CASES:
        other = "" if name in NOISY else f"{_beside_pytorch(name):.1e}"
        equal, all_groups = _groups(name)
        print(f"{name:24} {_error(name):18.1e} {other:>10} {f'{equal} of {all_groups}':>14}")


def _bound(of: Problem, theta: np.ndarray, seed: int = 3) -> Any:
    bound = of.bind(len(theta), None, Memory(), [np.random.default_rng(seed) for _ in theta])
    bound.theta[...] = theta
    run(bound.calls(loss=True, gradient=True))
    return bound


def _error(name: str, step: float = 1e-5) -> float:
    """Of central differences of fourth order, relative to the gradient."""
    of = problem(name, 9)
    theta, count = start(of.network), of.network.layout.trained
    own = _bound(of, theta[None]).gradient[0, :count].copy()
    steps = step * np.eye(len(theta))[:count]
    loss = _bound(of, np.concatenate([theta + k * steps for k in (1, -1, 2, -2)])).loss.reshape(4, count)
    found = (8 * (loss[0] - loss[1]) - (loss[2] - loss[3])) / (12 * step)
    return float(np.linalg.norm(own - found) / np.linalg.norm(found))


def _beside_pytorch(name: str) -> float:
    """The largest difference of loss and gradient in training, relative to them."""
    from tests.torch_layers import loss_and_gradient

    worst = 0.0
    for samples in (2, 9, 64):
        of = problem(name, samples)
        theta, count = start(of.network), of.network.layout.trained
        value, gradient, _ = loss_and_gradient(of.network, theta, of.train.x, of.train.y, True)
        bound = _bound(of, theta[None])
        apart = np.linalg.norm(bound.gradient[0, :count] - gradient[:count]) / np.linalg.norm(
            gradient[:count]
        )
        worst = max(worst, float(apart), abs(float(bound.loss[0]) - value) / abs(value))
    return worst


def _groups(name: str) -> tuple[int, int]:
    """Groups whose runs had, after three updates on mini-batches or all samples, the weights of each run alone."""
    (features, specs), equal, total = CASES[name], 0, 0
    for dtype in ("float32", "float64"):
        for size, batch in ((2, None), (7, None), (16, None), (2, 1), (7, 5), (16, 5)):
            for own in (False, True):
                network, rng = Network.of(built(specs), features, 3, dtype=dtype), np.random.default_rng(size)
                x = [inputs(features, specs, 11, rng) for _ in range(size if own else 1)]
                y = rng.integers(0, 3, (len(x), 11))
                data = [Data(x[at if own else 0], y[at if own else 0]) for at in range(size)]
                thetas = np.stack([start(network, at) for at in range(size)])
                whole = data[0] if not own else Data(np.stack(x), y)
                together = _trained(Problem(network, CrossEntropy(), whole), thetas, batch, range(size))
                alone = [
                    _trained(Problem(network, CrossEntropy(), data[at]), thetas[at : at + 1], batch, [at])[0]
                    for at in range(size)
                ]
                total += 1
                equal += all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    return equal, total


def _trained(of: Problem, thetas: np.ndarray, batch: int | None, seeds: Any) -> np.ndarray:
    bound = of.bind(len(thetas), batch, Memory(), [np.random.default_rng(seed) for seed in seeds])
    bound.theta[...] = thetas
    order = Batches([np.random.default_rng(seed) for seed in seeds], of.samples, batch) if batch else None
    trained, rate = of.network.layout.trained, of.network.dtype.type(0.1)
    for _ in range(2):
        if order is not None:
            bound.fill(order.next())
        run(bound.calls(loss=False, gradient=True))
        bound.theta[:, :trained] -= rate * bound.gradient[:, :trained]
        run(bound.update)
    return np.array(bound.theta)


# Speed


def speed() -> None:
    """Steps of SGD at batch 128, in turns with PyTorch."""
    print(
        f"\nOpenBLAS kernels {core_name() or 'unknown'}; us a step and run, batch {BATCH} of {SAMPLES} samples"
    )
    print(f"{'':12} {'PyTorch':>9} {'one run':>9} {'times':>6} {'asked':>6}", end="")
    print(f" {f'{RUNS} runs':>9} {'times':>6} {'own data':>9} {'times':>6}")
    for name, (features, specs, asked) in NETS.items():
        workers: dict[str, Callable[[], float]] = {
            "torch": pytorch(features, specs),
            "one": steps(features, specs, 1, False),
            "shared": steps(features, specs, RUNS, False),
            "own": steps(features, specs, RUNS, True),
        }
        least = dict.fromkeys(workers, np.inf)
        for _ in range(ROUNDS):
            for key, worker in workers.items():
                least[key] = min(least[key], worker())
        torch = least["torch"]
        print(f"{name:12} {torch:9.0f} {least['one']:9.0f} {torch / least['one']:6.2f} {asked:6.2f}", end="")
        print(
            "".join(f" {least[key]:9.0f} {torch / least[key]:6.2f}" for key in ("shared", "own")), flush=True
        )


def steps(
    features: tuple[int, ...], specs: list[Any], runs: int, own: bool, count: int = 20
) -> Callable[[], float]:
    """Microseconds of a step and run."""
    rng = np.random.default_rng(0)
    network = Network.of(built(specs), features, 10)
    lead = (runs,) if own else ()
    x = rng.standard_normal((*lead, int(np.prod(features)), SAMPLES), np.float32)
    of = Problem(network, CrossEntropy(), Data(x, rng.integers(0, 10, (*lead, SAMPLES))))
    bound, batches = (
        of.bind(runs, BATCH, Memory()),
        Batches([np.random.default_rng(at) for at in range(runs)], SAMPLES, BATCH),
    )
    bound.theta[...] = network.initial(rng, 0.05)
    calls, scaled, rate = bound.calls(loss=False, gradient=True), np.empty_like(bound.theta), np.float32(0.01)
    count = max(2, count // runs)

    def work() -> float:
        since = process_time()
        for _ in range(count):
            bound.fill(batches.next())
            run(calls)
            np.multiply(bound.gradient, rate, scaled)
            np.subtract(bound.theta, scaled, bound.theta)
        return (process_time() - since) / count / runs * 1e6

    return work


def pytorch(features: tuple[int, ...], specs: list[Any], count: int = 20) -> Callable[[], float]:
    """Microseconds of an eager step."""
    import torch

    torch.set_num_threads(1)
    model = torch.nn.Sequential(*_modules(features, specs))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(SAMPLES, *features), torch.randint(0, 10, (SAMPLES,))

    def order() -> Iterator[Any]:
        while True:
            yield from torch.randperm(SAMPLES).split(BATCH)

    batches = order()

    def work() -> float:
        since = process_time()
        for _ in range(count):
            batch = next(batches)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        return (process_time() - since) / count * 1e6

    return work


def _modules(features: tuple[int, ...], specs: list[Any]) -> list[Any]:
    from torch import nn

    modules: list[Any] = []
    for layer in built(specs):
        match layer.name:
            case "dense":
                modules.append(nn.Linear(int(np.prod(features)), layer.neurons))
            case "conv2d":
                modules.append(nn.Conv2d(features[0], layer.channels, layer.kernel, padding=layer.padding))
            case "max_pool":
                modules.append(nn.MaxPool2d(2))
            case "relu":
                modules.append(nn.ReLU())
        features = layer.output(features)
    return [*modules, nn.Flatten(), nn.Linear(int(np.prod(features)), 10)]


# Memory


@dataclass(frozen=True)
class Large(Dataset):
    """60,000 samples of 784 features, the same for every seed."""

    samples: int = setting(60_000, "for training")

    def sizes(self) -> Sizes:
        return Sizes(784, 10, self.samples)

    def load(self, draws: Generators, dtype: Any) -> Split:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((784, self.samples), np.float32)
        return Split(frozen(x, rng.integers(0, 10, self.samples), dtype))


def memory(runs: int = 64) -> None:
    """Peak memory of a group that trains on mini-batches of data that all its runs share."""
    from nnexp.network import MLP
    from nnexp.optim import SGD
    from nnexp.training import Budget, Group, RunSettings
    from nnexp.training.prepare import prepare_group

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = peak()
    settings = [
        RunSettings(
            seed=seed,
            architecture=MLP(hidden=[32]),
            dataset=Large(),
            optimizer=SGD(learning_rate=0.1, batch_size=BATCH),
            budget=Budget(iterations=20),
        )
        for seed in range(runs)
    ]
    group = Group(prepare_group((one, None, 2) for one in settings))
    loaded = peak()
    for _ in group.train():
        pass
    size = 60_000 * 784 * 4 / 2**20
    print(
        f"\n{runs} runs on 60,000 x 784 float32: data {size:.0f} MB; above an empty process {loaded - before:.0f} MB"
    )
    print(f"when prepared, {peak() - before:.0f} MB at the peak of training")


if __name__ == "__main__":
    for part in sys.argv[1:] or ("exact", "speed"):
        {"exact": exact, "speed": speed, "memory": memory}[part]()
