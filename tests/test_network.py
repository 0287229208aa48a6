"""The forward pass: leading axes, buffers, precision."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from computations import blocks, computation
from hypothesis import given, settings
from hypothesis import strategies as st

from nnexp.config.settings import ConfigError, load_part
from nnexp.data import Data, Spiral
from nnexp.losses import CrossEntropy, Loss, SquaredError
from nnexp.network.layout import Layout
from nnexp.network.network import Network
from nnexp.optim import SGD, RandomPerturbation, RandomSearch
from nnexp.training.budget import Budget
from nnexp.training.problem import Problem


def spiral_problem(hidden, dtype="float32", samples=40):
    data = Spiral(classes=3).points(samples, np.random.default_rng(0), dtype)
    return Problem(Network(2, hidden, 3, dtype=dtype), CrossEntropy(), data)


def test_forward_is_the_textbook_formula():
    network = Network(2, [4], 3, "tanh", "softmax", "float64")
    rng = np.random.default_rng(0)
    theta, x = rng.standard_normal(network.layout.size), rng.standard_normal((2, 7))
    named = network.layout.named(theta)
    hidden = np.tanh(named["dense_0/weights"] @ x + named["dense_0/biases"][:, None])
    z = named["dense_1/weights"] @ hidden + named["dense_1/biases"][:, None]
    expected = np.exp(z) / np.exp(z).sum(0)
    np.testing.assert_allclose(network.forward(theta, x), expected, rtol=1e-13)


@settings(max_examples=40, deadline=None)
@given(
    hidden=st.lists(st.sampled_from([1, 3, 8, 17, 64]), min_size=0, max_size=3),
    activation=st.sampled_from(["linear", "relu", "sigmoid", "tanh"]),
    loss=st.sampled_from(["cross_entropy", "squared_error", "squared_sum"]),
    dtype=st.sampled_from(["float32", "float64"]),
    count=st.integers(1, 70),
    samples=st.integers(1, 120),
    classes=st.integers(2, 11),
    accumulate=st.sampled_from([None, "float64"]),
)
def test_candidates_together_equal_candidates_alone(
    hidden, activation, loss, dtype, count, samples, classes, accumulate
):
    rng = np.random.default_rng(count)
    data = Data(rng.standard_normal((2, samples)), rng.integers(0, classes, samples))
    network = Network(2, hidden, classes, activation, "softmax", dtype, accumulate)
    problem = Problem(network, load_part("loss", loss, Loss), data)
    theta = rng.standard_normal((count, network.layout.size)).astype(dtype)
    together = problem.score(theta, accuracy=True)
    gradients = problem.score(theta, gradient=True).gradient.copy()
    seen = problem.evaluate(theta)
    for index in range(count):
        alone = problem.score(theta[index : index + 1], accuracy=True, gradient=True)
        assert alone.loss[0] == together.loss[index] == seen.loss[index]
        assert alone.accuracy[0] == together.accuracy[index]
        np.testing.assert_array_equal(alone.gradient[0], gradients[index])


@pytest.mark.parametrize("hidden", [[64], [17, 5], []])
@pytest.mark.parametrize("size", [1, 1 << 16, 1 << 30])
def test_tiles_do_not_change_a_candidate(hidden, size, monkeypatch):
    theta = np.random.default_rng(0).standard_normal((70, spiral_problem(hidden).network.layout.size))
    expected = spiral_problem(hidden).score(theta.astype("float32"), accuracy=True)
    monkeypatch.setattr("nnexp.network.buffers.TILE_BYTES", size)
    scored = spiral_problem(hidden).score(theta.astype("float32"), accuracy=True)
    np.testing.assert_array_equal(scored.loss, expected.loss)
    np.testing.assert_array_equal(scored.accuracy, expected.accuracy)


def test_many_candidates_take_one_tile_of_activations():
    problem = spiral_problem([256], samples=400)
    theta = np.zeros((64, problem.network.layout.size), "float32")
    tracemalloc.start()
    problem.score(theta)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    each = 4 * 257 * 1200
    assert peak < 6 * each


def test_runs_with_their_own_data_equal_runs_alone():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((5, 2, 30)), rng.integers(0, 3, (5, 30))
    network = Network(2, [6], 3)
    loss = CrossEntropy()
    together = Problem(network, loss, Data(x, y))
    theta = rng.standard_normal((5, 4, network.layout.size)).astype(np.float32)
    batch = np.stack([rng.permutation(30)[:8] for _ in range(5)])
    full = together.score(theta, accuracy=True)
    part = together.score(theta, gradient=True, batch=batch)
    for run in range(5):
        alone = Problem(network, loss, Data(x[run], y[run]))
        one = alone.score(theta[run], accuracy=True)
        np.testing.assert_array_equal(one.loss, full.loss[run])
        np.testing.assert_array_equal(one.accuracy, full.accuracy[run])
        small = alone.score(theta[run], gradient=True, batch=batch[run])
        np.testing.assert_array_equal(small.gradient, part.gradient[run])


@pytest.mark.parametrize("method", ["random", "perturb", "sgd", "momentum", "batches"])
def test_the_steady_loop_allocates_no_activations(method):
    samples = 4000
    problem = spiral_problem([16], samples=samples)
    rng = np.random.default_rng(0)
    methods = {
        "random": RandomSearch(block=8),
        "perturb": RandomPerturbation(block=8),
        "sgd": SGD(1.0),
        "momentum": SGD(1.0, 0.9),
        "batches": SGD(1.0, 0.9, batch_size=500),
    }
    one = computation(
        problem,
        methods[method],
        problem.network.initial(rng)[None],
        chance=[rng],
        batches=[rng],
        budget=Budget(1200),
        log_every=300,
    )
    steps = blocks(one)
    while one.progress(0).iteration < 600:
        next(steps)
    tracemalloc.start()
    for _ in steps:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A few rows of N numbers for the loss, and a supply of noise, are less than one network's activations.
    assert peak < 16 * 3 * samples * 4 / 2


def test_buffers_are_reused_and_results_are_not():
    problem = spiral_problem([3])
    theta = np.random.default_rng(0).standard_normal((2, 1, problem.network.layout.size)).astype("float32")
    first = problem.score(theta[0])
    kept = first.loss.copy()
    second = problem.score(theta[1])
    assert first.loss is not second.loss
    np.testing.assert_array_equal(first.loss, kept)


def test_float64_is_computed_in_float64():
    problem = spiral_problem([3], "float64")
    assert problem.score(np.zeros((1, problem.network.layout.size))).loss.dtype == np.float64


def test_ties_count_as_the_first_class():
    network = Network(1, [], 3, output="softmax")
    problem = Problem(network, CrossEntropy(), Data(np.ones((1, 4)), np.array([0, 0, 1, 2])))
    assert problem.score(np.zeros((1, network.layout.size)), accuracy=True).accuracy[0] == 0.5


def test_a_missing_output_leaves_no_accuracy_even_beside_a_tie():
    network = Network(1, [], 2, output="softmax", dtype="float64")
    x, y = np.array([[np.nan, 0.0, 1.0]]), np.array([0, 0, 1])
    theta = network.layout.join({"dense_0/weights": [[0.0], [1.0]], "dense_0/biases": [0.0, 0.0]})[None]
    # As many largest outputs as samples: the tie has two, and the sample without a number none.
    with np.errstate(invalid="ignore"):
        for loss in (CrossEntropy(), CrossEntropy(clip=1e-7)):
            assert np.isnan(Problem(network, loss, Data(x, y)).score(theta, accuracy=True).accuracy[0])
            known = Problem(network, loss, Data(x[:, 1:], y[1:])).score(theta, accuracy=True)
            assert known.accuracy[0] == 1.0


def test_non_finite_losses_are_infinite():
    problem = spiral_problem([3])
    theta = np.full((2, problem.network.layout.size), np.nan, np.float32)
    theta[1] = 3e38
    with np.errstate(all="ignore"):
        assert (problem.score(theta).loss == np.inf).all()


def test_the_fused_loss_is_stable():
    network = Network(1, [], 2, dtype="float64")
    problem = Problem(network, CrossEntropy(), Data(np.array([[1000.0, -1000.0]]), np.array([0, 0])))
    theta = network.layout.join({"dense_0/weights": [[1.0], [0.0]], "dense_0/biases": [0.0, 0.0]})
    assert problem.score(theta[None]).loss[0] == pytest.approx(500.0)


@pytest.mark.parametrize("sizes", [(2,), (2, 0, 3), (0, 3)])
def test_a_layout_needs_neurons(sizes):
    with pytest.raises(ValueError, match="sizes="):
        Layout(sizes)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="activation=swash: expected one of"):
        Network(2, [3], 3, "swash")
    with pytest.raises(ConfigError, match="output=swash: expected one of"):
        Network(2, [3], 3, output="swash")
    with pytest.raises(ConfigError, match="loss=hinges: expected one of"):
        load_part("loss", "hinges", Loss)
    with pytest.raises(ConfigError, match="cross_entropy after output=linear"):
        CrossEntropy().check(Network(2, [3], 3, output="linear").output)
    with pytest.raises(ValueError, match="expected classes 0 to 2"):
        Problem(Network(2, [3], 3), CrossEntropy(), Data(np.ones((2, 1)), np.array([3])))
    with pytest.raises(ValueError, match="expected 3 rows"):
        Problem(Network(2, [3], 3), SquaredError(), Data(np.ones((2, 1)), np.ones((2, 1))))
