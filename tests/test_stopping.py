"""Runs that end early: at a target, or without progress; in a group as alone, and without disturbing the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnexp.config.settings import ConfigError
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import SGD, Method, RandomPerturbation, RandomSearch
from nnexp.testing import check_group
from nnexp.training import Budget, Group, RunSettings, train

BASE = RunSettings(
    architecture=MLP(hidden=[8], init_scale=0.3),
    dataset=Spiral(samples=20, test_samples=10),
    optimizer=SGD(0.5),
    budget=Budget(iterations=600),
)
METHODS = {
    "sgd": SGD(0.5, 0.5),
    "batches": SGD(0.5, batch_size=16),
    "random": RandomSearch(1.0),
    "perturb": RandomPerturbation(0.3),
}


def budgets(**early: Any) -> list[Budget]:
    return [Budget(iterations=600), Budget(iterations=600, **early), Budget(iterations=300, **early)]


@pytest.mark.parametrize(
    "early", [{"target": 1.04}, {"target": 0.4, "measure": "accuracy"}, {"patience": 30}]
)
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_run_ends_at_the_same_row_in_a_group_and_alone(method: Method, early: dict[str, Any]) -> None:
    check_group([
        replace(BASE, optimizer=method, seed=seed, budget=budget)
        for seed in (0, 1) for budget in budgets(**early)
    ])  # fmt: skip


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_run_ends_at_the_first_row_that_has_the_target(method: Method) -> None:
    whole = replace(BASE, optimizer=method)
    (full,) = train(whole)
    target = float(full.history.val_loss[40])
    (run,) = train(replace(whole, budget=Budget(iterations=600, target=target)))
    at = int(np.argmax(full.history.val_loss <= target))
    assert run.iterations == full.history.iteration[at]
    assert run.evaluations == full.history.evaluations[at]
    np.testing.assert_array_equal(run.history.val_loss, full.history.val_loss[: at + 1])
    assert run.stop_reason == "target"
    assert run.status == "finished"
    assert run.ended
    assert run.snapshots.iteration[-1] == run.iterations


def test_patience_ends_a_run_that_gets_no_better_and_keeps_its_best_weights() -> None:
    overfitting = replace(BASE, dataset=Spiral(samples=5, test_samples=50), optimizer=SGD(1.0))
    overfitting = replace(overfitting, architecture=MLP(hidden=[32], init_scale=0.5))
    (full,) = train(replace(overfitting, budget=Budget(iterations=3000)))
    (run,) = train(replace(overfitting, budget=Budget(iterations=3000, patience=100)))
    best = int(np.nanargmin(run.history.val_loss))
    assert run.iterations < full.iterations
    assert run.iterations - run.history.iteration[best] >= 100
    assert run.stop_reason == "patience"
    seen = run.prepared.problem.evaluate(run.best_theta)
    assert float(seen.val_loss) == pytest.approx(run.history.val_loss[best], abs=0)
    assert run.best_loss == run.history.loss[best]


def test_what_is_handed_out_live_is_the_whole_history() -> None:
    settings = [replace(BASE, seed=seed, budget=budget) for seed, budget in enumerate(budgets(target=1.02))]
    group = Group.of(settings)
    parts: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for rows in group.train(0.0):
        for position, part in rows:
            parts[position] += part.iteration.tolist()
    assert [parts[at] for at in range(3)] == [run.history.iteration.tolist() for run in group.runs]


@pytest.mark.parametrize("budget", [{"target": 0.5}, {"patience": 5}])
def test_an_early_end_is_no_limit_by_itself(budget: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"budget\.iterations=null: expected at least one of"):
        RunSettings(budget=Budget(**budget))
