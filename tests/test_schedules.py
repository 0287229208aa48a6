"""Schedules: each is its formula and PyTorch's, in groups of unlike numbers too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from descents import SMALL, Array, assert_equal, trained
from required import need_module

from nnexp.calls import run
from nnexp.config.places import options
from nnexp.config.settings import ConfigError, load_part, plain
from nnexp.optim import SAM, SGD, Adam, At
from nnexp.optim.schedules import (
    Chain,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    OneCycle,
    Schedule,
    Sequence,
    Step,
)
from nnexp.training import Budget


def rates(schedule: Schedule, total: int, updates: int | None = None, dtype: Any = np.float64) -> Array:
    """The rates of one run, by its update, for a learning rate of 1."""
    theta = np.zeros((1, 2), dtype)
    at = At(theta, theta, np.zeros(1), np.zeros((), np.int64), np.array([total]), (), (), {})
    rate, calls = schedule.bind(at, 1.0)
    seen = []
    for _ in range(updates or total):
        run(calls)
        seen.append(rate[0, 0])
        np.add(at.count, 1, at.count)
    return np.array(seen)


T = np.arange(600.0)
SCHEDULES: dict[str, tuple[Schedule, Array]] = {
    "constant": (Constant(), np.ones(600)),
    "step": (Step(70, 0.3), 0.3 ** (T // 70)),
    "exponential": (Exponential(0.99), 0.99**T),
    "inverse_time": (InverseTime(0.1), 1 / (1 + 0.1 * T)),
    "linear": (Linear(0.2), 1 - 0.8 * T / 600),
    "cosine": (Cosine(0.1), 0.1 + 0.9 * (1 + np.cos(np.pi * T / 600)) / 2),
    "chain": (Chain(schedules=[Step(70, 0.3), Exponential(0.99)]), 0.3 ** (T // 70) * 0.99**T),
    "sequence": (
        Sequence(schedules=[Linear(0.5), Constant(), Cosine()], lengths=[100, 200]),
        np.concatenate([1 - 0.5 * T[:100] / 100, np.ones(200), (1 + np.cos(np.pi * T[:300] / 300)) / 2]),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 20])
def test_a_schedule_is_its_formula(name: str, warmup: int) -> None:
    schedule, expected = SCHEDULES[name]
    grown = np.minimum((T + 1) / (warmup + 1), 1)
    np.testing.assert_allclose(rates(replace(schedule, warmup=warmup), 600), expected * grown, rtol=1e-12)


def test_each_schedule_of_the_conf_is_compared_with_a_formula() -> None:
    assert set(options("optimizer/schedule")) == {*SCHEDULES, "one_cycle"}


def test_one_cycle_rises_to_one_and_falls_to_its_end() -> None:
    one = rates(OneCycle(rise=0.25, start=0.1, end=0.01), 400)
    assert one.argmax() == 99
    np.testing.assert_allclose(one[[0, 99, 399]], [0.1, 1, 0.01])
    assert (np.diff(one[:100]) > 0).all()
    assert (np.diff(one[99:]) < 0).all()
    for total in (1, 2, 3):
        assert np.isfinite(rates(OneCycle(), total)).all()


@pytest.mark.parametrize("total", [40, 600])
def test_schedules_are_pytorchs(total: int) -> None:
    need_module("torch", "benchmarks")
    import torch
    from torch.optim import lr_scheduler as theirs

    pairs: list[tuple[Schedule, Callable[[Any], Any]]] = [
        (Step(7, 0.3), lambda o: theirs.StepLR(o, 7, 0.3)),
        (Exponential(0.99), lambda o: theirs.ExponentialLR(o, 0.99)),
        (Cosine(), lambda o: theirs.CosineAnnealingLR(o, total)),
        (Cosine(0.1), lambda o: theirs.CosineAnnealingLR(o, total, 0.1)),
        (Linear(0.2), lambda o: theirs.LinearLR(o, 1.0, 0.2, total)),
        (Constant(warmup=10), lambda o: theirs.LinearLR(o, 1 / 11, 1.0, 10)),
        (OneCycle(), lambda o: theirs.OneCycleLR(o, 1.0, total, cycle_momentum=False)),
        (
            Chain(schedules=[Step(7, 0.3), Exponential(0.99)]),
            lambda o: theirs.ChainedScheduler([theirs.StepLR(o, 7, 0.3), theirs.ExponentialLR(o, 0.99)]),
        ),
    ]
    for schedule, make in pairs:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
        scheduler, seen = make(optimizer), []
        for _ in range(total):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        np.testing.assert_allclose(rates(schedule, total), seen, rtol=1e-9, atol=1e-12, err_msg=schedule.name)


def test_the_total_is_the_updates_that_the_budget_has_room_for() -> None:
    """A rate that falls to zero at the total: after 20 updates of 6 evaluations nothing moves any more."""
    method = SAM(0.5, schedule=Linear(0.0))
    (one,) = trained([replace(SMALL, optimizer=method, budget=Budget(iterations=500, evaluations=125))], 1)
    assert one.iterations == 20
    moves = [np.abs(b - a).max() for a, b in pairwise(one.snapshots.theta)]
    assert 0 < moves[-1] < moves[0]


def test_a_schedule_with_a_total_needs_a_budget_with_one() -> None:
    for schedule in (Cosine(), Chain(schedules=[Exponential(), Cosine()])):
        with pytest.raises(
            ConfigError, match=r"^optimizer\.schedule=cosine: expected budget\.iterations or"
        ) as error:
            replace(SMALL, optimizer=SGD(schedule=schedule), budget=Budget(seconds=1.0))
        assert "\n" not in str(error.value)
    replace(SMALL, optimizer=SGD(schedule=Exponential()), budget=Budget(seconds=1.0))


def test_schedules_of_a_chain_come_back_from_plain_values_and_by_name() -> None:
    chained = Chain(schedules=[Cosine(end=0.2), Step(3)])
    assert load_part("optimizer.schedule", plain(chained), Schedule) == chained
    values = {"name": "chain", "schedules": ["cosine", {"name": "step", "every": 3}]}
    assert load_part("optimizer.schedule", values, Schedule) == Chain(schedules=[Cosine(), Step(3)])
    with pytest.raises(
        ConfigError, match=r"sequence\.lengths=\[3\]: expected one fewer than the 1 schedules"
    ):
        Sequence(lengths=[3])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_schedules_of_unlike_numbers_train_together(batch_size: int | None, dtype: Any) -> None:
    """Runs end on both sides of the first block of rates that is computed ahead."""
    settings = [
        replace(
            SMALL,
            seed=seed,
            dtype=dtype,
            budget=Budget(iterations=iterations),
            optimizer=Adam(
                0.01 * (seed + 1),
                batch_size=batch_size,
                schedule=Chain(
                    warmup=seed,
                    schedules=[
                        OneCycle(0.2 + 0.1 * seed),
                        Step(20 + seed, 0.5),
                        Exponential(1 - 0.001 * seed),
                    ],
                ),
            ),
        )
        for seed, iterations in enumerate((520, 100, 257, 256, 40))
    ]
    for one, own in zip(trained(settings), settings, strict=True):
        assert_equal(one, trained([own])[0])
