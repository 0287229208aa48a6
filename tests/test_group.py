"""Runs trained in groups are the runs trained alone."""

from __future__ import annotations

import signal
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp.config.schema import Config, from_mapping
from nnexp.optim import SearchMethod
from nnexp.training.group import Group, chunk, key, split, train
from nnexp.training.prepare import Prepared, prepare
from nnexp.training.problem import Evaluation, Problem
from nnexp.training.record import History, Record, join
from nnexp.training.run import Run
from nnexp.training.search import Search


def config(optimizer: str = "sgd", **changes: Any) -> Config:
    """A small config; names with ``__`` for dots."""
    values: dict[str, Any] = {
        "architecture": {"name": "mlp", "hidden": [3], "init_scale": 0.01},
        "dataset": {"name": "spiral", "samples": 8, "test_samples": 5},
        "optimizer": {"name": optimizer},
        "loss": {"name": "cross_entropy"},
        "budget": {"iterations": 20},
        "tracking": {"log_every": 3},
        "seeds": {},
        "sweep": {},
    }
    for name, value in changes.items():
        *groups, last = name.split("__")
        place = values
        for group in groups:
            place = place[group]
        place[last] = value
    return from_mapping(values)


def prepared(one: Config) -> Prepared:
    return prepare(one, one.tracking.log_every, one.tracking.snapshots)


def group_key(one: Config) -> Any:
    return key(one, one.tracking.log_every)


def alone(one: Config) -> tuple[Run, History]:
    group = Group([prepared(one)])
    history = join([part for rows in group.train() for _, part in rows])
    return group.runs[0], history


def assert_equal_alone(configs: list[Config], flush_seconds: float = 2.0) -> None:
    group = Group([prepared(one) for one in configs])
    parts: list[list[History]] = [[] for _ in configs]
    for rows in group.train(flush_seconds):
        for position, part in rows:
            parts[position].append(part)
    for position, one in enumerate(configs):
        own_run, history = alone(one)
        mine = group.runs[position]
        for rows in (join(parts[position]), mine.history):
            for name in set(history) - {"seconds"}:
                np.testing.assert_array_equal(rows[name], history[name], name)
        for own, other in zip(mine.snapshots, own_run.snapshots, strict=True):
            np.testing.assert_array_equal(own, other)
        np.testing.assert_array_equal(mine.final_theta, own_run.final_theta)
        np.testing.assert_array_equal(mine.best_theta, own_run.best_theta)
        for name in ("best_loss", "improvements", "status", "iterations", "evaluations"):
            assert getattr(mine, name) == getattr(own_run, name), name


METHODS: dict[str, dict[str, Any]] = {
    "random": {"optimizer": "random"},
    "perturb": {"optimizer": "perturb"},
    "sgd": {},
    "momentum": {"optimizer__momentum": 0.9},
    "mini_batch": {"optimizer__batch_size": 7},
    "mini_batch_momentum": {"optimizer__batch_size": 8, "optimizer__momentum": 0.5},
}


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("method", METHODS)
def test_groups_of_any_size(method: str, size: int) -> None:
    assert_equal_alone([config(**METHODS[method], seed=seed) for seed in range(size)])


SHAPES = st.fixed_dictionaries(
    {
        "architecture__hidden": st.sampled_from([[1], [3], [17], [64], [5, 4]]),
        "architecture__activation": st.sampled_from(["relu", "tanh", "sigmoid", "linear"]),
        "dataset__samples": st.integers(1, 40),
        "dataset__classes": st.sampled_from([2, 3, 9]),
        "dataset__test_samples": st.sampled_from([0, 6]),
        "dtype": st.sampled_from(["float32", "float64"]),
        "accumulate": st.sampled_from([None, None, "float64"]),
        "tracking__log_every": st.sampled_from([1, 4, None]),
        "loss": st.sampled_from(
            [{"name": "cross_entropy"}, {"name": "cross_entropy", "clip": 1e-7}, {"name": "squared_error"}]
        ),
    }
)
NUMBERS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 99),
        "budget__iterations": st.integers(1, 40),
        "budget__evaluations": st.sampled_from([None, None, 50]),
        "architecture__init_scale": st.sampled_from([0.01, 1.0]),
    }
)
# The largest rates and scales overflow, at once or after some steps.
RATES = {"optimizer__learning_rate": st.sampled_from([0.1, 1.0, 30.0, 1e20, 1e38])}
MOMENTA = RATES | {"optimizer__momentum": st.sampled_from([0.3, 0.9])}
SCALES = {"optimizer__scale": st.sampled_from([0.05, 1.0])}


@settings(max_examples=60, deadline=None)
@given(
    shape=SHAPES, method=st.sampled_from(sorted(METHODS)), data=st.data(), flush=st.sampled_from([0.0, 2.0])
)
def test_runs_in_a_group_are_the_runs_alone(
    shape: dict[str, Any], method: str, data: st.DataObject, flush: float
) -> None:
    own = RATES if "optimizer" not in METHODS[method] else SCALES
    own = MOMENTA if "momentum" in method else own
    runs = data.draw(st.lists(st.tuples(NUMBERS, st.fixed_dictionaries(own)), min_size=1, max_size=7))
    fixed = dict(METHODS[method])
    if "optimizer" in fixed:
        fixed["optimizer__block"] = data.draw(st.integers(1, 70))
    if "optimizer__batch_size" in fixed:
        fixed["optimizer__batch_size"] = data.draw(
            st.integers(1, shape["dataset__samples"] * shape["dataset__classes"])
        )
    configs = [
        config(**(fixed | shape | numbers | numbers_of_its_own)) for numbers, numbers_of_its_own in runs
    ]
    assert len({group_key(one) for one in configs}) == 1
    assert_equal_alone(configs, flush)


@pytest.mark.parametrize("method", ["random", "perturb"])
def test_rows_with_one_answer_are_measured_once(method: str) -> None:
    class Counting(Problem):
        measured: ClassVar[list[int]] = []

        def evaluate(self, theta: Any, train: bool = True) -> Evaluation:
            self.measured.append(len(theta))
            return super().evaluate(theta, train)

    one = prepared(config(method, tracking__log_every=1, budget__iterations=300))
    plain = one.problem
    counting = Counting(plain.network, plain.loss, plain.train, plain.test)
    record, rows = Record(one._replace(problem=counting)), []
    assert isinstance(one.method, SearchMethod)
    assert one.draws is not None
    search = Search(plain, one.method, one.theta, draws=one.draws, budget=one.settings.budget, log_every=1)
    while (block := search.advance()) is not None:
        for _, part in block:
            record.add(part)
            rows.append(part.theta)
    history, theta = record.measure(), np.concatenate(rows)
    assert len(history.iteration) == len(theta) == 301
    assert counting.measured == [len(search.improvements()) + 1]
    for at in range(len(theta)):
        single = plain.evaluate(theta[at])
        assert (history.loss[at], history.accuracy[at]) == (single.loss, single.accuracy)
        assert (history.val_loss[at], history.val_accuracy[at]) == (single.val_loss, single.val_accuracy)


def test_a_run_that_diverges_leaves_the_others_alone() -> None:
    rates = [0.1, 1e38, 1.0, 1e38]
    configs = [config(optimizer__learning_rate=rate, seed=at) for at, rate in enumerate(rates)]
    assert_equal_alone(configs)
    group = Group([prepared(one) for one in configs])
    for _ in group.train():
        pass
    assert [run.status for run in group.runs] == ["finished", "diverged"] * 2


@pytest.mark.parametrize("method", ["random", "perturb"])
def test_scales_may_differ_from_run_to_run(method: str) -> None:
    configs = [config(method, optimizer__scale=scale, seed=7) for scale in (0.01, 0.5, 2.0)]
    assert split(configs) == [[0, 1, 2]]
    assert_equal_alone(configs)


def test_learning_rates_and_momenta_may_differ_from_run_to_run() -> None:
    configs = [
        config(optimizer__learning_rate=rate, optimizer__momentum=momentum, seed=7)
        for rate, momentum in ((0.1, 0.3), (1.0, 0.5), (3.0, 0.9))
    ]
    assert split(configs) == [[0, 1, 2]]
    assert_equal_alone(configs)


def test_python_gets_its_runs_in_the_order_asked_for_whatever_is_trained_together() -> None:
    configs = [config(method, seed=seed) for seed in range(2) for method in ("sgd", "random", "perturb")]
    runs = train(configs, log_every=3)
    assert [run.prepared.settings for run in runs] == configs
    for run, one in zip(runs, configs, strict=True):
        np.testing.assert_array_equal(run.history.loss, alone(one)[1].loss)
        np.testing.assert_array_equal(run.final_theta, alone(one)[0].final_theta)
    (single,) = train(configs[0], log_every=3)
    np.testing.assert_array_equal(single.final_theta, runs[0].final_theta)


def test_an_interrupted_group_keeps_every_row() -> None:
    configs = [config(seed=seed, tracking__log_every=1, budget__iterations=5000) for seed in range(3)]
    group = Group([prepared(one) for one in configs])
    running = group.train(flush_seconds=0.0)
    seen = next(running)
    assert [position for position, _ in seen] == [0, 1, 2]
    for one, run in zip(configs, group.runs, strict=True):
        run.stop()
        history, (_, whole) = run.history, alone(one)
        count = len(history.iteration)
        assert 0 < count < 5000
        np.testing.assert_array_equal(history.iteration, range(count))
        np.testing.assert_array_equal(history.loss, whole.loss[:count])
        assert run.iterations == count - 1


# An exception that a handler raises within a callback of the garbage collector is dropped.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("method", "runs"), [("sgd", 20), ("perturb", 3)])
def test_an_interruption_at_any_moment_leaves_rows_that_belong_together(method: str, runs: int) -> None:
    numbers = {"tracking__log_every": 1, "architecture__init_scale": 1.0}
    configs = [config(method, seed=seed, budget__iterations=150 + seed, **numbers) for seed in range(runs)]
    whole = [alone(one) for one in configs]

    running = False

    def interrupt(number: int, frame: object) -> None:
        if running:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for attempt in range(30):
            group = Group([prepared(one) for one in configs])
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * (attempt + 1))
            try:
                running = True
                for _ in group.train():
                    pass
                running = False
            except KeyboardInterrupt:
                running = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            for run, (_, history) in zip(group.runs, whole, strict=True):
                run.stop()
                count = len(run.history.iteration)
                np.testing.assert_array_equal(run.history.iteration, range(count))
                np.testing.assert_array_equal(run.history.loss, history.loss[:count])
                assert run.iterations == count - 1
    finally:
        signal.signal(signal.SIGALRM, before)


def test_seconds_are_shared() -> None:
    configs = [config(seed=seed, budget__iterations=300 * (1 + seed)) for seed in range(3)]
    group = Group([prepared(one) for one in configs])
    start = perf_counter()
    for _ in group.train():
        pass
    passed = perf_counter() - start
    seconds = [run.seconds for run in group.runs]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    assert sum(seconds) <= passed
    for run in group.runs:
        assert (np.diff(run.history.seconds) >= 0).all()
        assert run.history.seconds[-1] <= run.seconds


def test_numbers_may_differ_and_shapes_may_not() -> None:
    one = config()
    for same in (
        config(seed=4),
        config(optimizer__learning_rate=0.1),
        config(budget__iterations=7),
        config(architecture__init_scale=1.0),
        config(tracking__snapshots=5),
    ):
        assert group_key(same) == group_key(one)
    for other in (
        config("random"),
        config(optimizer__momentum=0.9),
        config(dtype="float64"),
        config(architecture__hidden=[4]),
        config(architecture__activation="tanh"),
        config(dataset__samples=9),
        config(dataset__test_samples=0),
        config(optimizer__batch_size=4),
        config(tracking__log_every=None),
        config(loss__clip=1e-7),
    ):
        assert group_key(other) != group_key(one)


def test_given_points_that_are_classes_and_numbers_that_are_not_are_kept_apart() -> None:
    inputs = [[0.0, 1.0], [1.0, 0.5], [-1.0, 2.0]]
    configs = [
        config(
            dataset={"name": "points", "inputs": inputs, "targets": targets},
            loss={"name": "squared_error"},
            seed=seed,
        )
        for seed in range(2)
        for targets in ([[1, 0], [0, 1], [1, 0]], [[0, 1], [0, 1], [1, 0]], [[0.5, 1], [2, 0], [1, 0]])
    ]
    assert split(configs) == [[0, 1, 3, 4], [2, 5]]
    for positions in split(configs):
        assert_equal_alone([configs[at] for at in positions])


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
