"""One contract for every method."""

from __future__ import annotations

from time import sleep
from typing import Any

import numpy as np
import pytest
from computations import blocks, computation, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp.config.settings import stack
from nnexp.data import Data, Spiral
from nnexp.losses import CrossEntropy
from nnexp.network.network import Network
from nnexp.optim import SGD, GradientMethod, RandomPerturbation, RandomSearch
from nnexp.training.budget import Budget
from nnexp.training.problem import Problem

METHODS: dict[str, Any] = {
    "random": RandomSearch(0.5, score_start=True),
    "random_unscored": RandomSearch(0.5, score_start=False, block=7),
    "perturb": RandomPerturbation(0.3, score_start=True),
    "perturb_unscored": RandomPerturbation(0.3, score_start=False, block=5),
    "sgd": SGD(0.5),
    "momentum": SGD(0.2, 0.9),
    "mini_batch": SGD(0.5, batch_size=16),
    "mini_batch_momentum": SGD(0.1, 0.8, batch_size=7),
}
GRADIENT = [name for name, method in METHODS.items() if isinstance(method, GradientMethod)]
SEARCHES = [name for name in METHODS if name not in GRADIENT]
UNSCORED = [METHODS["random_unscored"], METHODS["perturb_unscored"]]
DATA = Spiral(classes=3).points(20, np.random.default_rng(0))


def problem(hidden=(3,), data=DATA, dtype="float32"):
    return Problem(Network(2, hidden, 3, dtype=dtype), CrossEntropy(), data)


def training(name, seeds, iterations=150, hidden=(3,), on=None, **options):
    on = on or problem(hidden)
    starts = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in seeds])
    options = {"budget": Budget(iterations), "log_every": 10, **options}
    return computation(
        on,
        METHODS[name],
        starts,
        chance=[np.random.default_rng(1000 + seed) for seed in seeds],
        batches=[np.random.default_rng(2000 + seed) for seed in seeds],
        **options,
    )


def rows(one, run=0):
    return [row for number, row in trained(one) if number == run]


def same(one, other):
    """Whether rows are equal but for the clock."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.iteration, a.evaluations) == (b.iteration, b.evaluations)
        np.testing.assert_array_equal([a.loss, a.accuracy], [b.loss, b.accuracy])
        np.testing.assert_array_equal(a.theta, b.theta)


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_gives_one_trajectory(name):
    same(rows(training(name, [3])), rows(training(name, [3])))
    assert not np.array_equal(rows(training(name, [3]))[-1].theta, rows(training(name, [4]))[-1].theta)


@pytest.mark.parametrize("name", GRADIENT)
@settings(max_examples=12, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=7),
    hidden=st.sampled_from([(3,), (64,), (5, 4), ()]),
    iterations=st.integers(0, 60),
    every=st.sampled_from([1, 7, None]),
)
def test_runs_together_equal_runs_alone(name, seeds, hidden, iterations, every):
    together = trained(training(name, seeds, iterations, hidden, log_every=every))
    for run, seed in enumerate(seeds):
        alone = rows(training(name, [seed], iterations, hidden, log_every=every))
        same([row for number, row in together if number == run], alone)


@pytest.mark.parametrize("name", METHODS)
def test_yielded_weights_never_change(name):
    seeds = [1, 2] if name in GRADIENT else [1]
    one = training(name, seeds, 80, log_every=1)
    kept = [(row.theta, row.theta.copy()) for block in blocks(one) for _, row in block]
    assert len(kept) == len(seeds) * 81
    for theta, copy in kept:
        np.testing.assert_array_equal(theta, copy)


@pytest.mark.parametrize("name", METHODS)
def test_how_often_is_logged_does_not_change_the_run(name):
    often, rarely = (rows(training(name, [5], 97, log_every=every)) for every in (1, 40))
    same([row for row in often if row.iteration in (0, 40, 80, 97)], rarely)


@pytest.mark.parametrize("name", METHODS)
def test_step_0_is_the_untouched_start(name):
    one = training(name, [5])
    start = one.progress(0).theta.copy()
    first = rows(one)[0]
    assert first.iteration == 0
    np.testing.assert_array_equal(first.theta, start)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_of_a_row_is_the_loss_of_its_theta(name):
    on = problem()
    seen = [row for row in rows(training(name, [5], on=on, log_every=1)) if not np.isnan(row.loss)]
    # Mini-batches do not give the loss on all data, and a search that has taken nothing yet has none.
    assert len(seen) == (0 if METHODS[name].batch_size else 151 - (METHODS[name] in UNSCORED))
    for row in seen:
        assert row.loss == on.score(row.theta[None]).loss[0]


@pytest.mark.parametrize("name", GRADIENT)
def test_gradient_methods_spend_three_evaluations_an_iteration(name):
    last = rows(training(name, [1], 20))[-1]
    assert (last.iteration, last.evaluations) == (20, 60)
    last = rows(training(name, [1], budget=Budget(None, 100)))[-1]
    assert (last.iteration, last.evaluations) == (33, 99)


class Counting(Problem):
    """Counts the candidates that are scored."""

    count = 0

    def score(self, theta, **options):
        self.count += int(np.prod(theta.shape[:-1]))
        return super().score(theta, **options)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_spend_what_they_score(name):
    on = Counting(Network(2, [3], 3), CrossEntropy(), DATA)
    last = rows(training(name, [1], 500, on=on))[-1]
    assert last.iteration == 500
    assert last.evaluations == on.count
    if name.startswith("random"):
        assert last.evaluations == 500 + (name == "random")
    else:
        assert 500 <= last.evaluations < 750


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("most", [1, 2, 50, 333])
def test_searches_never_exceed_their_evaluations(name, most):
    for seed in (1, 2, 3):
        assert rows(training(name, [seed], budget=Budget(None, most)))[-1].evaluations == most


def one_at_a_time(on, start, noise, scale, iterations, score_start):
    theta, best = start, np.float32(on.score(start[None]).loss[0] if score_start else np.inf)
    improvements = []
    for candidate in range(iterations):
        proposal = theta + np.float32(scale) * noise.standard_normal(len(start), dtype=np.float32)
        loss = on.score(proposal[None]).loss[0]
        if loss < best:
            theta, best = proposal, loss
            improvements.append((candidate, float(loss)))
    return theta, improvements


@pytest.mark.parametrize("block", [1, 2, 64])
@pytest.mark.parametrize("score_start", [True, False])
def test_speculation_is_hill_climbing_one_proposal_at_a_time(block, score_start):
    on = problem()
    start = on.network.initial(np.random.default_rng(8))
    method = RandomPerturbation(0.05, block=block, score_start=score_start)
    one = computation(on, method, start[None], chance=[np.random.default_rng(9)], budget=Budget(400))
    rows(one)
    theta, improvements = one_at_a_time(on, start, np.random.default_rng(9), 0.05, 400, score_start)
    np.testing.assert_array_equal(one.progress(0).theta, theta)
    assert one.improvements() == improvements
    assert len(improvements) > 10


def test_sgd_is_the_textbook_update():
    on = problem(dtype="float64")
    theta = on.network.initial(np.random.default_rng(0))
    expected, velocity = theta.copy(), 0.0
    for _ in range(25):
        velocity = 0.9 * velocity + on.score(expected[None], gradient=True).gradient[0]
        expected = expected - 0.2 * velocity
    one = computation(on, SGD(0.2, 0.9), theta[None], budget=Budget(25))
    rows(one)
    np.testing.assert_array_equal(one.progress(0).theta, expected)


def test_learning_rates_and_momenta_may_differ_from_run_to_run():
    on = problem()
    start = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in range(3)])
    methods = [SGD(rate, momentum) for rate, momentum in ((0.1, 0.0), (1.0, 0.5), (3.0, 0.9))]
    together = computation(on, stack(methods), start, budget=Budget(60))
    trained(together)
    for run, method in enumerate(methods):
        alone = computation(on, method, start[run : run + 1], budget=Budget(60))
        trained(alone)
        np.testing.assert_array_equal(alone.progress(0).theta, together.progress(run).theta)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_pass_over_losses_that_are_not_finite(name):
    class Broken(Problem):
        def score(self, theta, **options):
            score = super().score(theta, **options)
            bad = theta[..., 0] > 0
            return score._replace(loss=np.where(bad, np.inf, score.loss))

    on = Broken(Network(2, [3], 3), CrossEntropy(), DATA)
    last = rows(training(name, [1], 300, on=on))[-1]
    assert np.isfinite(last.loss)
    assert last.theta[0] <= 0


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_gradient_run_that_overflows_stops_as_diverged(batch_size):
    data = Data(DATA.x * np.float32(1e30), DATA.y)
    on = problem(data=data)
    start = on.network.initial(np.random.default_rng(1))[None]
    method, batches = SGD(1e30, batch_size=batch_size), [np.random.default_rng(0)]
    one = computation(on, method, start, batches=batches, budget=Budget(500))
    last = rows(one)[-1]
    assert one.has_diverged(0)
    assert last.iteration < 500


def test_a_run_that_diverges_leaves_the_others_alone():
    on = problem()
    start = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in range(3)])
    methods = [SGD(rate) for rate in (0.1, 1e38, 1.0)]
    together = computation(on, stack(methods), start, budget=Budget(60))
    seen = trained(together)
    assert [together.has_diverged(run) for run in range(3)] == [False, True, False]
    for run in (0, 2):
        alone = computation(on, methods[run], start[run : run + 1], budget=Budget(60))
        same([row for number, row in seen if number == run], rows(alone))


def test_a_budget_of_seconds_ends_a_run():
    for name in ("random", "perturb", "sgd", "mini_batch"):
        one = training(name, [1], budget=Budget(seconds=0.05))
        last = rows(one)[-1]
        assert last.iteration > 0
        assert one.seconds >= 0.05


@pytest.mark.parametrize("name", METHODS)
def test_the_clock_stands_while_the_caller_has_the_rows(name):
    one = training(name, [1], 20, log_every=1)
    before = one.seconds
    for block in blocks(one):
        shown = one.seconds
        sleep(0.05)
        assert one.seconds == shown
        assert all(before <= row.seconds <= shown for _, row in block)
        before = shown
    assert one.seconds > 0


@pytest.mark.parametrize("size", [61, 1000])
def test_a_batch_must_fit_the_data(size):
    on = problem()
    start = on.network.initial(np.random.default_rng(0))[None]
    with pytest.raises(ValueError, match=f"optimizer.batch_size={size}: expected 1 to 60"):
        computation(on, SGD(1.0, batch_size=size), start, budget=Budget(1))
