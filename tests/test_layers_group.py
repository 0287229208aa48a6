"""Runs of any layers, by any method, in a group: each is the run alone, in every bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.data.dataset import Data
from nnexp.losses import CrossEntropy
from nnexp.network import Layers, Network
from nnexp.network import buffers as network_buffers
from nnexp.optim import SGD, GradientMethod, Method
from nnexp.training import Budget, RunSettings, train
from nnexp.training import problem as problems
from nnexp.training.group import Group, key
from nnexp.training.prepare import prepare_group
from nnexp.training.problem import Problem
from tests.layer_cases import CASES, Images, built, inputs, random_layers, start


def together_and_alone(runs: list[RunSettings]) -> None:
    """Train runs as one group and each alone; every number must be the same."""
    assert len({key(one) for one in runs}) == 1
    group = Group(prepare_group((one, None, 5) for one in runs))
    for _ in group.train():
        pass
    for one, mine in zip(runs, group.runs, strict=True):
        (alone,) = train(one, snapshots=5)
        for field in set(alone.history) - {"seconds"}:
            np.testing.assert_array_equal(mine.history[field], alone.history[field], field)
        np.testing.assert_array_equal(mine.final_theta, alone.final_theta)
        np.testing.assert_array_equal(mine.best_theta, alone.best_theta)
        np.testing.assert_array_equal(mine.snapshots.theta, alone.snapshots.theta)
        assert mine.status == alone.status


def random_runs(seed: int) -> list[RunSettings]:
    """Runs of one random network, with budgets and rates of their own, of which some diverge."""
    rng = np.random.default_rng(seed)
    sides = [(1, 1, 1), (2, 3, 3), (3, 5, 4), (1, 6, 6), (4, 2, 7)]
    channels, high, wide = sides[rng.integers(len(sides))]
    samples = int(rng.integers(1, 34))
    layers = random_layers(rng, (channels, high, wide))
    size = [None, None, 1, 2, 5][rng.integers(5)]
    # A batch of one has no variance.
    data = Images(channels=channels, high=high, wide=wide, samples=samples, own=bool(rng.integers(2)))
    momentum = float(rng.choice([0.0, 0.9]))
    return [
        RunSettings(
            seed=at,
            dtype=("float32", "float64")[seed % 2],
            architecture=Layers(layers=built(layers)),
            dataset=data,
            optimizer=SGD(
                learning_rate=float(rng.choice([0.1, 0.5, 1e20])),
                momentum=momentum,
                batch_size=None if size is None else min(size, samples),
            ),
            budget=Budget(iterations=int(rng.integers(1, 12))),
        )
        for at in range(int(rng.choice([2, 3, 7, 16])))
    ]


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), small=st.sampled_from([None, 20_000, 1000]))
def test_runs_of_any_layers_in_a_group_are_the_runs_alone(seed: int, small: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if small is not None:
            for module, name in (
                (problems, "PASS_BYTES"),
                (problems, "SAMPLE_BYTES"),
                (network_buffers, "TILE_BYTES"),
            ):
                patch.setattr(module, name, small)
        together_and_alone(random_runs(seed))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_candidates_and_runs_are_scored_as_each_alone(name: str, dtype: str) -> None:
    (features, specs), rng = CASES[name], np.random.default_rng(0)
    network = Network.of(built(specs), features, 3, dtype=dtype)
    x = np.stack([inputs(features, specs, 9, rng) for _ in range(4)])
    y = rng.integers(0, 3, (4, 9))
    theta = np.stack([[start(network, 10 * r + k) for k in range(5)] for r in range(4)])
    whole = Problem(network, CrossEntropy(), Data(x, y)).score(theta, accuracy=True)
    for r in range(4):
        alone = Problem(network, CrossEntropy(), Data(x[r], y[r]))
        several = alone.score(theta[r], accuracy=True)
        for k in range(5):
            one = alone.score(theta[r, k : k + 1], accuracy=True)
            assert one.loss[0] == several.loss[k] == whole.loss[r, k]
            assert one.accuracy[0] == several.accuracy[k] == whole.accuracy[r, k]


METHODS = [
    method
    for method in (load_part("optimizer", name, Method) for name in options("optimizer"))
    if isinstance(method, GradientMethod)
]


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_any_method_trains_layers_with_statistics_and_masks(
    method: GradientMethod, batch_size: int | None
) -> None:
    if method.name == "lbfgs" and batch_size is not None:
        pytest.skip("it takes all samples")
    specs: list[Any] = [
        *({"name": "conv2d", "channels": 3}, "batch_norm", "relu"),
        *({"name": "dropout", "rate": 0.3}, {"name": "residual", "layers": ["layer_norm", "gelu"]}),
    ]
    together_and_alone(
        [
            RunSettings(
                seed=seed,
                architecture=Layers(layers=built(specs)),
                dataset=Images(own=False),
                optimizer=replace(method, batch_size=batch_size),
                budget=Budget(iterations=9 + seed),
            )
            for seed in range(5)
        ]
    )


def test_data_that_runs_share_are_held_once() -> None:
    shared = [RunSettings(seed=seed, dataset=Images(own=False)) for seed in range(3)]
    problems_ = [one.problem for one in prepare_group((one, None, 5) for one in shared)]
    assert all(one is problems_[0] for one in problems_)
    own = [RunSettings(seed=seed, dataset=Images()) for seed in range(2)]
    first, second = (one.problem for one in prepare_group((one, None, 5) for one in own))
    assert first is not second
