"""One contract for every method."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnexp.data.datasets import Data, generated
from nnexp.losses.losses import make_loss
from nnexp.training.train import EVALUATIONS_PER_GRADIENT, Budget, Training

from nnexp.network.network import Network
from nnexp.optim import SGD, GeneratorNoise, RandomPerturbation, RandomSearch
from nnexp.training.problem import Problem

METHODS: dict[str, Any] = {
    "random": lambda: RandomSearch(0.5),
    "random_unscored": lambda: RandomSearch(0.5, score_start=False, block=7),
    "perturb": lambda: RandomPerturbation(0.3),
    "perturb_unscored": lambda: RandomPerturbation(0.3, score_start=False, block=5),
    "sgd": lambda: SGD(0.5),
    "momentum": lambda: SGD(0.2, 0.9),
    "mini_batch": lambda: SGD(0.5, batch_size=16),
    "mini_batch_momentum": lambda: SGD(0.1, 0.8, batch_size=7),
}
SEARCHES = [name for name in METHODS if name.startswith(("random", "perturb"))]
DATA = generated("spiral", 20, 3, np.random.default_rng(0))


def problem(hidden=(3,), data=DATA, dtype="float32"):
    return Problem(Network(2, hidden, 3, dtype=dtype), make_loss("cross_entropy", "softmax"), data)


def training(name, seeds, iterations=150, hidden=(3,), on=None, **options):
    on = on or problem(hidden)
    size, dtype = on.network.layout.size, on.network.dtype
    starts = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in seeds])
    noise = GeneratorNoise([np.random.default_rng(1000 + seed) for seed in seeds], size, dtype)
    batches = [np.random.default_rng(2000 + seed) for seed in seeds]
    options = {"budget": Budget(iterations), "log_every": 10, **options}
    return Training(on, METHODS[name](), starts, noise=noise, batches=batches, **options)


def rows(one):
    return [row for part in one.steps() for row in part]


def same(one, other):
    """Whether rows are equal but for the clock and the run's number."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert (a.iteration, a.evaluations) == (b.iteration, b.evaluations)
        np.testing.assert_array_equal([a.loss, a.accuracy], [b.loss, b.accuracy])
        np.testing.assert_array_equal(a.theta, b.theta)


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_gives_one_trajectory(name):
    same(rows(training(name, [3])), rows(training(name, [3])))
    assert not np.array_equal(rows(training(name, [3]))[-1].theta, rows(training(name, [4]))[-1].theta)


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=12, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=7),
    hidden=st.sampled_from([(3,), (64,), (5, 4), ()]),
    iterations=st.integers(0, 60),
    every=st.sampled_from([1, 7, None]),
)
def test_runs_together_equal_runs_alone(name, seeds, hidden, iterations, every):
    together = rows(training(name, seeds, iterations, hidden, log_every=every))
    for run, seed in enumerate(seeds):
        alone = rows(training(name, [seed], iterations, hidden, log_every=every))
        same([row for row in together if row.run == run], alone)


@pytest.mark.parametrize("name", METHODS)
def test_yielded_weights_never_change(name):
    kept = [
        (row.theta, row.theta.copy())
        for part in training(name, [1, 2], 80, log_every=1).steps()
        for row in part
    ]
    assert len(kept) == 2 * 81
    for theta, copy in kept:
        np.testing.assert_array_equal(theta, copy)


@pytest.mark.parametrize("name", METHODS)
def test_how_often_is_logged_does_not_change_the_run(name):
    often, rarely = (rows(training(name, [5], 97, log_every=every)) for every in (1, 40))
    same([row for row in often if row.iteration in (0, 40, 80, 97)], rarely)


@pytest.mark.parametrize("name", METHODS)
def test_step_0_is_the_untouched_start(name):
    one = training(name, [5])
    start = one.state.theta[0].copy()
    first = rows(one)[0]
    assert first.iteration == 0
    np.testing.assert_array_equal(first.theta, start)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_of_a_row_is_the_loss_of_its_theta(name):
    one = training(name, [5], log_every=1)
    for row in rows(one):
        if not np.isnan(row.loss):
            assert row.loss == one.problem.score(row.theta[None]).loss[0]


@pytest.mark.parametrize("name", [name for name in METHODS if name not in SEARCHES])
def test_gradient_methods_spend_three_evaluations_an_iteration(name):
    last = rows(training(name, [1], 20))[-1]
    assert (last.iteration, last.evaluations) == (20, 20 * EVALUATIONS_PER_GRADIENT)
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
    on = Counting(Network(2, [3], 3), make_loss("cross_entropy", "softmax"), DATA)
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
    one = training(name, [1, 2, 3], budget=Budget(None, most))
    last = {row.run: row for row in rows(one)}
    assert [row.evaluations for row in last.values()] == [most] * 3


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
    noise = GeneratorNoise([np.random.default_rng(9)], len(start), np.float32)
    method = RandomPerturbation(0.05, score_start, block)
    one = Training(on, method, start[None], noise=noise, budget=Budget(400))
    rows(one)
    theta, improvements = one_at_a_time(on, start, np.random.default_rng(9), 0.05, 400, score_start)
    np.testing.assert_array_equal(one.state.theta[0], theta)
    assert [(step.candidate, step.loss) for step in one.improvements] == improvements
    assert len(improvements) > 10


def test_sgd_is_the_textbook_update():
    on = problem(dtype="float64")
    theta = on.network.initial(np.random.default_rng(0))
    expected, velocity = theta.copy(), 0.0
    for _ in range(25):
        velocity = 0.9 * velocity + on.score(expected[None], gradient=True).gradient[0]
        expected = expected - 0.2 * velocity
    one = Training(on, SGD(0.2, 0.9), theta[None], budget=Budget(25))
    rows(one)
    np.testing.assert_array_equal(one.state.theta[0], expected)


@pytest.mark.parametrize("kind", [RandomSearch, RandomPerturbation])
def test_hyperparameters_may_differ_from_run_to_run(kind):
    on = problem()
    start = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in range(3)])
    scales = np.array([0.01, 0.5, 2.0])

    def noise(seeds):
        return GeneratorNoise([np.random.default_rng(seed) for seed in seeds], start.shape[1], np.float32)

    together = Training(on, kind(scales), start, noise=noise(range(3)), budget=Budget(100))
    rows(together)
    for run in range(3):
        alone = Training(on, kind(scales[run]), start[run : run + 1], noise=noise([run]), budget=Budget(100))
        rows(alone)
        np.testing.assert_array_equal(alone.state.theta[0], together.state.theta[run])


def test_learning_rates_and_momenta_may_differ_from_run_to_run():
    on = problem()
    start = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in range(3)])
    rates, momenta = np.array([0.1, 1.0, 3.0]), np.array([0.0, 0.5, 0.9])
    together = Training(on, SGD(rates, momenta), start, budget=Budget(60))
    rows(together)
    for run in range(3):
        alone = Training(on, SGD(rates[run], momenta[run]), start[run : run + 1], budget=Budget(60))
        rows(alone)
        np.testing.assert_array_equal(alone.state.theta[0], together.state.theta[run])


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_pass_over_losses_that_are_not_finite(name):
    class Broken(Problem):
        def score(self, theta, **options):
            score = super().score(theta, **options)
            bad = theta[..., 0] > 0
            return score._replace(loss=np.where(bad, np.inf, score.loss))

    on = Broken(Network(2, [3], 3), make_loss("cross_entropy", "softmax"), DATA)
    last = rows(training(name, [1], 300, on=on))[-1]
    assert np.isfinite(last.loss)
    assert last.theta[0] <= 0


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_gradient_run_that_overflows_stops_as_diverged(batch_size):
    data = Data(DATA.x * np.float32(1e30), DATA.y)
    on = problem(data=data)
    start = on.network.initial(np.random.default_rng(1))[None]
    one = Training(
        on, SGD(1e30, batch_size=batch_size), start, batches=[np.random.default_rng(0)], budget=Budget(500)
    )
    last = rows(one)[-1]
    assert one.diverged[0]
    assert last.iteration < 500


def test_a_run_that_diverges_leaves_the_others_alone():
    on = problem()
    start = np.stack([on.network.initial(np.random.default_rng(seed)) for seed in range(3)])
    rates = np.array([0.1, 1e38, 1.0])
    together = Training(on, SGD(rates), start, budget=Budget(60))
    seen = rows(together)
    assert together.diverged.tolist() == [False, True, False]
    for run in (0, 2):
        alone = Training(on, SGD(rates[run]), start[run : run + 1], budget=Budget(60))
        same([row for row in seen if row.run == run], rows(alone))


def test_a_budget_of_seconds_ends_a_run():
    for name in ("random", "perturb", "sgd", "mini_batch"):
        one = training(name, [1], budget=Budget(seconds=0.05))
        last = rows(one)[-1]
        assert last.iteration > 0
        assert one.seconds >= 0.05


def test_the_clock_stands_while_the_caller_has_the_rows():
    from time import sleep

    one = training("sgd", [1], 20, log_every=1)
    for _ in one.steps():
        sleep(0.01)
    assert one.seconds < 0.1


def test_a_budget_without_limits_is_refused():
    with pytest.raises(ValueError, match="budget"):
        training("sgd", [1], budget=Budget())


@pytest.mark.parametrize("size", [0, 61])
def test_a_batch_must_fit_the_data(size):
    on = problem()
    with pytest.raises(ValueError, match=f"optimizer.batch_size={size}: expected 1 to 60"):
        Training(
            on,
            SGD(1.0, batch_size=size),
            on.network.initial(np.random.default_rng(0))[None],
            budget=Budget(1),
        )
