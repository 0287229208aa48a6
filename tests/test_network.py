"""The forward pass: leading axes, buffers, precision."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnexp.data.datasets import Data, generated
from nnexp.losses.losses import make_loss
from nnexp.training.train import Budget, Training

from nnexp.network.activations import ACTIVATIONS
from nnexp.network.layout import Layout
from nnexp.network.network import Network
from nnexp.optim import SGD, GeneratorNoise, RandomPerturbation, RandomSearch
from nnexp.training.problem import Problem


def spiral_problem(hidden, dtype="float32", samples=40, loss="cross_entropy", output="softmax", **options):
    data = generated("spiral", samples, 3, np.random.default_rng(0), dtype)
    network = Network(2, hidden, 3, output=output, dtype=dtype, **options)
    return Problem(network, make_loss(loss, output), data)


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
    activation=st.sampled_from(sorted(ACTIVATIONS)),
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
    problem = Problem(network, make_loss(loss, "softmax"), data)
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
    loss = make_loss("cross_entropy", "softmax")
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
    size = problem.network.layout.size
    rng = np.random.default_rng(0)
    methods = {
        "random": RandomSearch(block=8),
        "perturb": RandomPerturbation(block=8),
        "sgd": SGD(1.0),
        "momentum": SGD(1.0, 0.9),
        "batches": SGD(1.0, 0.9, 500),
    }
    noise = GeneratorNoise([rng], size, "float32") if method in ("random", "perturb") else None
    training = Training(
        problem,
        methods[method],
        problem.network.initial(rng)[None],
        noise=noise,
        batches=[rng],
        budget=Budget(1200),
        log_every=300,
    )
    steps = training.steps()
    while training.state.iteration[0] < 600:
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
    problem = Problem(
        network, make_loss("cross_entropy", "softmax"), Data(np.ones((1, 4)), np.array([0, 0, 1, 2]))
    )
    assert problem.score(np.zeros((1, network.layout.size)), accuracy=True).accuracy[0] == 0.5


@pytest.mark.parametrize(("output", "loss"), [("softmax", "cross_entropy"), ("linear", "squared_error")])
def test_outputs_that_are_missing_have_no_accuracy(output, loss):
    network = Network(1, [], 2, output=output)
    problem = Problem(
        network, make_loss(loss, output), Data(np.array([[1.0, 0.0, 1.0]]), np.array([0, 0, 1]))
    )
    theta = np.array([[0, 0, 1, 0], [np.nan] * 4, [0, 0, np.inf, 0], [0, 0, -1, 0]], np.float32)
    with np.errstate(invalid="ignore"):
        shares = problem.score(theta, accuracy=True).accuracy
        alone = [problem.score(one[None], accuracy=True).accuracy[0] for one in theta]
    np.testing.assert_array_equal(shares, alone)
    # Weights of inf make one output NaN, inf * 0: argmax would take it for the largest.
    assert np.isnan(shares[[1, 2]]).all()
    assert not np.isnan(shares[[0, 3]]).any()


def test_non_finite_losses_are_infinite():
    problem = spiral_problem([3])
    theta = np.full((2, problem.network.layout.size), np.nan, np.float32)
    theta[1] = 3e38
    with np.errstate(all="ignore"):
        assert (problem.score(theta).loss == np.inf).all()


def test_the_fused_loss_is_stable():
    network = Network(1, [], 2, dtype="float64")
    problem = Problem(
        network, make_loss("cross_entropy", "softmax"), Data(np.array([[1000.0, -1000.0]]), np.array([0, 0]))
    )
    theta = network.layout.join({"dense_0/weights": [[1.0], [0.0]], "dense_0/biases": [0.0, 0.0]})
    assert problem.score(theta[None]).loss[0] == pytest.approx(500.0)


@pytest.mark.parametrize(("label", "loss"), [(0, 0.0), (1, np.inf)])
@pytest.mark.parametrize(("dtype", "largest"), [("float32", 2e38), ("float64", 1.5e308)])
def test_the_fused_loss_is_right_where_a_difference_of_outputs_overflows(dtype, largest, label, loss):
    z = np.array([[[largest], [-largest]], [[0.5], [-0.5]]], dtype)
    gradient = z.copy()
    to = target(np.array([label]), 2, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        seen = measure(SoftmaxCrossEntropy(), z.copy(), to, accuracy=True)
        measure(SoftmaxCrossEntropy(), gradient, to, gradient=True)
    np.testing.assert_allclose(seen.loss, [loss, np.log1p(np.exp(-1)) + label], rtol=1e-6)
    assert seen.accuracy.tolist() == [1 - label] * 2
    assert gradient[0].ravel().tolist() == ([0, 0] if label == 0 else [1, -1])


def test_an_output_out_of_reach_changes_no_bit_of_other_samples():
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((4, 3, 50)).astype(np.float32), rng.integers(0, 3, 50)
    z[:, :, 7] = [2e38, -1e38, 0]
    z[2, :, 7] = [2e38, -2e38, 0]
    y[7] = 0
    with np.errstate(over="ignore", invalid="ignore"):
        loss = measure(SoftmaxCrossEntropy(), z.copy(), target(y, 3, "float32")).loss
        for run in range(4):
            assert measure(SoftmaxCrossEntropy(), z[run].copy(), target(y, 3, "float32")).loss == loss[run]
    z[2, :, 7] = [2e38, -1e38, 0]
    assert measure(SoftmaxCrossEntropy(), z[2], target(y, 3, "float32")).loss == loss[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_is_right_in_both_tails(dtype):
    z = np.concatenate([np.linspace(-750, 750, 3001), [-1e30, 1e30, -np.inf, np.inf]]).astype(dtype)
    seen = SIGMOID(z.copy())
    wide = z.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        expected = 1 / (1 + np.exp(-wide))
    assert float(SIGMOID(np.array([-20], dtype))[0]) == pytest.approx(2.0611536181902037e-9, rel=1e-6)
    # Four units in the last place, or one of the smallest number.
    kind = np.finfo(dtype)
    assert (abs(seen - expected) <= np.maximum(4 * kind.eps * expected, 2 * kind.smallest_subnormal)).all()
    assert np.isnan(SIGMOID(np.array([np.nan], dtype))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_has_the_same_bits_whatever_the_strides(name, dtype):
    activation = ACTIVATIONS[name]
    z = (20 * np.random.default_rng(0).standard_normal((6, 5, 37))).astype(dtype)
    whole = activation(z.copy())
    classes_outermost = np.moveaxis(np.ascontiguousarray(np.moveaxis(z, -2, 0)), 0, -2)
    above_ones = np.concatenate([z, z[..., :1, :]], axis=-2)[..., :-1, :]
    every_third = np.repeat(z, 3, axis=-1)[..., ::3]
    for other in (classes_outermost, above_ones, every_third):
        np.testing.assert_array_equal(activation(other), whole)
    for run in range(6):
        np.testing.assert_array_equal(activation(z[run].copy()), whole[run])
        for at in range(37):
            np.testing.assert_array_equal(
                activation(z[run, :, at : at + 1].copy()), whole[run, :, at : at + 1]
            )


@pytest.mark.parametrize("sizes", [(2,), (2, 0, 3), (0, 3)])
def test_a_layout_needs_neurons(sizes):
    with pytest.raises(ValueError, match="sizes="):
        Layout(sizes)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="activation=swish: expected one of"):
        Network(2, [3], 3, "swish")
    with pytest.raises(ValueError, match="output=swish: expected one of"):
        Network(2, [3], 3, output="swish")
    with pytest.raises(ValueError, match="loss=hinge: expected"):
        make_loss("hinge", "softmax")
    with pytest.raises(ValueError, match="cross_entropy after output=linear"):
        make_loss("cross_entropy", "linear")
    with pytest.raises(ValueError, match="expected classes 0 to 2"):
        Problem(
            Network(2, [3], 3), make_loss("cross_entropy", "softmax"), Data(np.ones((2, 1)), np.array([3]))
        )
    with pytest.raises(ValueError, match="expected 3 rows"):
        Problem(
            Network(2, [3], 3), make_loss("squared_error", "softmax"), Data(np.ones((2, 1)), np.ones((2, 1)))
        )
