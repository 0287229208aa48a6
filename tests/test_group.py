"""Runs trained in groups are the runs trained alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp.config import Config, from_mapping
from nnexp.group import Group, chunk, key, split
from nnexp.session import History, Session, join, prepare


def config(optimizer: str = "sgd", **changes: Any) -> Config:
    """A small config; names with ``__`` for dots."""
    values: dict[str, Any] = {
        "architecture": {"name": "mlp", "hidden": [3]},
        "dataset": {"name": "spiral", "samples": 8, "test_samples": 5},
        "optimizer": {"name": optimizer},
        "loss": {"name": "cross_entropy"},
        "budget": {"iterations": 20},
        "tracking": {"log_every": 3},
        "seeds": {},
    }
    for name, value in changes.items():
        *groups, last = name.split("__")
        place = values
        for group in groups:
            place = place[group]
        place[last] = value
    return from_mapping(values)


def alone(one: Config) -> tuple[Session, History]:
    session = Session(prepare(one))
    return session, join(list(session.run()))


def assert_equal_alone(configs: list[Config], flush_seconds: float = 2.0) -> None:
    group = Group([prepare(one) for one in configs])
    parts: list[list[History]] = [[] for _ in configs]
    for rows in group.run(flush_seconds):
        for position, part in rows:
            parts[position].append(part)
    for position, one in enumerate(configs):
        session, history = alone(one)
        mine = group.sessions[position]
        for rows in (join(parts[position]), mine.history):
            for name in set(History._fields) - {"seconds"}:
                np.testing.assert_array_equal(getattr(rows, name), getattr(history, name), name)
        for own, other in zip(mine.snapshots, session.snapshots, strict=True):
            np.testing.assert_array_equal(own, other)
        np.testing.assert_array_equal(mine.final_theta, session.final_theta)
        np.testing.assert_array_equal(mine.best_theta, session.best_theta)
        for name in ("best_loss", "improvements", "status", "iterations", "evaluations"):
            assert getattr(mine, name) == getattr(session, name), name


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("method", ["random", "perturb", "sgd"])
def test_groups_of_any_size(method: str, size: int) -> None:
    assert_equal_alone([config(method, seed=seed) for seed in range(size)])


@settings(max_examples=10, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 99), min_size=1, max_size=5),
    method=st.sampled_from(["random", "perturb", "sgd"]),
    flush=st.sampled_from([0.0, 2.0]),
)
def test_runs_in_a_group_are_the_runs_alone(seeds: list[int], method: str, flush: float) -> None:
    assert_equal_alone([config(method, seed=seed) for seed in seeds], flush)


def test_numbers_may_differ_and_shapes_may_not() -> None:
    one = config()
    for same in (
        config(seed=4),
        config(optimizer__learning_rate=0.1),
        config(budget__iterations=7),
        config(architecture__init_scale=1.0),
        config(tracking__snapshots=5),
    ):
        assert key(same) == key(one)
    for other in (
        config("random"),
        config(dtype="float64"),
        config(architecture__hidden=[4]),
        config(architecture__activation="tanh"),
        config(dataset__samples=9),
        config(dataset__test_samples=0),
        config(optimizer__batch_size=4),
        config(tracking__log_every=None),
        config(loss__clip=1e-7),
    ):
        assert key(other) != key(one)


def test_a_run_with_a_budget_of_seconds_trains_alone() -> None:
    one = config(budget__seconds=1.0)
    assert split([one, one, config(), config()]) == [[0], [1], [2, 3]]


def test_groups_come_in_order_of_first_appearance() -> None:
    jobs = [config(method, seed=seed) for seed in range(3) for method in ("random", "perturb", "sgd")]
    assert split(jobs) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert split(jobs, most=2) == [[0, 3], [1, 4], [2, 5], [6], [7], [8]]
    assert split([]) == []
    with pytest.raises(ValueError, match="most=0: expected 1 or more"):
        split(jobs, most=0)


def test_large_networks_come_in_small_groups() -> None:
    assert chunk(config()) > chunk(config(architecture__hidden=[64], dataset__samples=100)) > 1
    assert chunk(config(architecture__hidden=[512, 512], dataset__samples=1000)) == 1
