"""Every layer: what it computes, its gradient, and that a run in a group is the run alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnexp.calls import run
from nnexp.config.places import options
from nnexp.config.settings import ConfigError, load_part
from nnexp.network import MLP, Layers, Layout, Network
from nnexp.network.buffers import Memory
from nnexp.network.initializers import Initializer
from nnexp.network.layers import Layer, conv2d
from nnexp.optim import SGD, Method
from nnexp.training import Budget, RunSettings, train
from nnexp.training import problem as problems
from nnexp.training.passes import Pass
from nnexp.training.problem import Problem
from tests.layer_cases import CASES, NOISY, Images, built, problem, start
from tests.required import need_module

STEP = 1e-6


def in_training(of: Problem, theta: np.ndarray, seed: int = 3) -> Pass:
    """Loss and gradient in training of thetas ``(R, P)``, each with the same draws."""
    draws = [np.random.default_rng(seed) for _ in theta]
    bound = of.bind(len(theta), None, Memory(), draws)
    bound.theta[...] = theta
    with np.errstate(all="ignore"):
        run(bound.calls(loss=True, gradient=True))
    return bound


def differences(of: Problem, theta: np.ndarray) -> np.ndarray:
    steps = STEP * np.eye(len(theta))[: of.network.layout.trained]
    both = in_training(of, np.concatenate([theta + steps, theta - steps])).loss
    return (both[: len(steps)] - both[len(steps) :]) / (2 * STEP)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b), 1e-12))


def assert_near(gradient: np.ndarray, exact: np.ndarray) -> None:
    """Equal to what differences of a loss of about 1 can tell: rounded at 1e-16, over a step of 1e-6."""
    assert np.linalg.norm(gradient - exact) < 1e-6 * np.linalg.norm(exact) + 1e-9 * np.sqrt(len(exact))


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_the_plain_formulas(name: str) -> None:
    of = problem(name)
    theta = np.stack([start(of.network, seed) for seed in range(3)])
    together = of.network.forward(theta, of.train.x)
    for own, out in zip(theta, together, strict=True):
        np.testing.assert_allclose(out, of.network.apply(own, of.train.x), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("samples", [1, 7])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_in_training_is_that_of_differences(name: str, samples: int) -> None:
    of = problem(name, samples)
    theta = start(of.network)
    gradient = in_training(of, theta[None]).gradient[0, : of.network.layout.trained]
    exact = differences(of, theta)
    if samples == 1 and "batch_norm" in str(CASES[name][1]) and len(CASES[name][0]) == 1:
        # What is normalised over one number is constant: below it there is no gradient.
        np.testing.assert_allclose(gradient, exact, atol=1e-8)
    else:
        assert_near(gradient, exact)


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOISY])
def test_the_gradient_outside_training_is_that_of_differences(name: str) -> None:
    of = problem(name)
    theta = start(of.network)
    gradient = of.score(theta[None], gradient=True).gradient[0].copy()
    steps = STEP * np.eye(len(theta))[: of.network.layout.trained]
    both = of.score(np.concatenate([theta + steps, theta - steps])).loss
    exact = (both[: len(steps)] - both[len(steps) :]) / (2 * STEP)
    assert_near(gradient[: len(exact)], exact)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", [name for name in CASES if name not in NOISY])
def test_loss_gradient_and_running_statistics_are_those_of_pytorch(name: str, training: bool) -> None:
    need_module("torch", "benchmarks")
    from tests.torch_layers import loss_and_gradient

    for samples in (2, 9, 64):
        of = problem(name, samples)
        network, theta, count = of.network, start(of.network), of.network.layout.trained
        value, gradient, running = loss_and_gradient(network, theta, of.train.x, of.train.y, training)
        if training:
            bound = in_training(of, theta[None])
            loss, own = bound.loss[0], bound.gradient[0].copy()
            run(bound.update)
            named = network.layout.named(bound.theta[0])
            for key, statistic in running.items():
                np.testing.assert_allclose(named[key], statistic, rtol=1e-12)
        else:
            score = of.score(theta[None], gradient=True)
            loss, own = score.loss[0], score.gradient[0]
        assert abs(loss - value) < 1e-12 * max(1, abs(value))
        assert relative(own[:count], gradient[:count]) < 1e-12


@pytest.mark.parametrize("name", CASES)
def test_tiles_of_runs_and_samples_change_roundings_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of = problem(name, 12)
    theta = np.stack([start(of.network, seed) for seed in range(5)])
    whole = in_training(of, theta)
    monkeypatch.setattr(problems, "PASS_BYTES", 1)
    tiled = in_training(of, theta)
    assert of.network.couples or of.tile(12) == (1, 8)
    if name in NOISY:
        return  # masks are drawn in another order
    np.testing.assert_allclose(tiled.loss, whole.loss, rtol=1e-12)
    np.testing.assert_allclose(tiled.gradient, whole.gradient, rtol=1e-9, atol=1e-14)


def test_products_in_pieces_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    of = problem("conv2d", 16)
    theta = start(of.network)
    seen = []
    for small in (10**9, 2000):
        monkeypatch.setattr(conv2d, "SMALL_PRODUCT", small)
        monkeypatch.setattr(conv2d, "skips_packing", lambda: True)
        seen.append(in_training(of, theta[None]))
    assert conv2d.pieces(4, 19, 20, 16) == 20
    np.testing.assert_allclose(seen[0].gradient, seen[1].gradient, rtol=1e-11)


@pytest.mark.parametrize("name", options("optimizer"))
def test_a_search_moves_what_is_trained_alone(name: str) -> None:
    method = load_part("optimizer", name, Method)
    if method.needs_gradient:
        return
    layers = built([{"name": "conv2d", "channels": 2}, "batch_norm", "relu", "global_avg_pool"])
    one = RunSettings(
        architecture=Layers(layers=layers), dataset=Images(), optimizer=method, budget=Budget(iterations=60)
    )
    (trained,) = train(one)
    layout = trained.prepared.problem.network.layout
    named = layout.named(trained.final_theta)
    assert (named["batch_norm_0/running/mean"] == 0).all()
    assert (named["batch_norm_0/running/variance"] == 1).all()
    assert trained.final_theta.shape == (layout.size,)
    assert (trained.final_theta[: layout.trained] != trained.prepared.theta[: layout.trained]).any()


def test_running_statistics_move_with_each_update() -> None:
    one = RunSettings(
        architecture=Layers(layers=built(["batch_norm"])),
        dataset=Images(samples=8),
        optimizer=SGD(learning_rate=0.1),
        budget=Budget(iterations=3),
        dtype="float64",
    )
    (trained,) = train(one)
    x = trained.prepared.problem.train.x
    named = trained.prepared.problem.network.layout.named(trained.final_theta)
    kept = 0.9**3
    np.testing.assert_allclose(named["batch_norm_0/running/mean"], (1 - kept) * x.mean(), rtol=1e-12)
    expected = kept + (1 - kept) * x.var(ddof=1)
    np.testing.assert_allclose(named["batch_norm_0/running/variance"], expected, rtol=1e-12)


def test_dropout_is_of_its_own_stream() -> None:
    def last(rate: float, **seeds: int) -> np.ndarray:
        one = RunSettings.from_plain if False else RunSettings
        from nnexp.training import Seeds

        made = one(
            architecture=Layers(
                layers=built([{"name": "dense", "neurons": 8}, {"name": "dropout", "rate": rate}])
            ),
            dataset=Images(),
            seeds=Seeds(**seeds),
            budget=Budget(iterations=5),
        )
        return train(made)[0].final_theta

    np.testing.assert_array_equal(last(0.5), last(0.5))
    assert (last(0.5) != last(0.5, dropout=7)).any()
    np.testing.assert_array_equal(last(0.0), last(0.0, dropout=7))


# Networks and architectures


@pytest.mark.parametrize("name", CASES)
def test_a_layout_is_read_from_its_description(name: str) -> None:
    layout = problem(name).network.layout
    theta = np.arange(float(layout.size))
    again = Layout.from_description(layout.describe())
    assert (again.names, again.trained, again.size) == (layout.names, layout.trained, layout.size)
    np.testing.assert_array_equal(again.restore(layout.export(theta)), theta)
    named = layout.named(theta)
    assert sorted(np.concatenate([view.reshape(-1) for view in named.values()])) == theta.tolist()
    assert all(np.shares_memory(view, theta) for view in named.values())


def test_an_mlp_is_a_list_of_layers() -> None:
    rng = [np.random.default_rng(0) for _ in range(2)]
    mlp = MLP(hidden=[5, 4], activation="tanh", init="he")
    layers = Layers(
        layers=built([{"name": "dense", "neurons": 5}, "tanh", {"name": "dense", "neurons": 4}, "tanh"])
    )
    networks = [one.network(2, 3, "float32") for one in (mlp, layers)]
    thetas = [
        one.initial(network, own) for one, network, own in zip((mlp, layers), networks, rng, strict=True)
    ]
    np.testing.assert_array_equal(*thetas)
    x = np.random.default_rng(1).standard_normal((2, 6))
    np.testing.assert_array_equal(
        *(net.forward(theta, x) for net, theta in zip(networks, thetas, strict=True))
    )


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("he", 2 / 300),
        ({"name": "he", "distribution": "uniform"}, 2 / 300),
        ("glorot", 2 / 500),
        ({"name": "glorot", "distribution": "normal"}, 2 / 500),
        ("lecun", 1 / 300),
        ({"name": "lecun", "distribution": "uniform"}, 1 / 300),
        ("normal", 1e-4),
        ("orthogonal", 1 / 300),
    ],
)
def test_initializers_have_their_variance(init: Any, variance: float) -> None:
    made = load_part("architecture.init", init, Initializer)
    weights = made.draw((200, 300), 300, 200, np.random.default_rng(0))
    assert weights.shape == (200, 300)
    assert weights.var() == pytest.approx(variance, rel=0.02)
    assert abs(weights.mean()) < 0.02 * np.sqrt(variance)
    if made.name == "orthogonal":
        np.testing.assert_allclose(weights @ weights.T, np.eye(200), atol=1e-12)
        tall = made.draw((300, 200), 200, 300, np.random.default_rng(0))
        np.testing.assert_allclose(tall.T @ tall, np.eye(200), atol=1e-12)


@pytest.mark.parametrize(
    ("activation", "init", "loss"),
    [
        ("relu", "he", 0.2),
        ("relu", {"name": "orthogonal", "gain": 1.414}, 0.2),
        ("tanh", "lecun", 0.4),
        ("tanh", "glorot", 0.9),
    ],
)
def test_ten_layers_train(activation: str, init: Any, loss: float) -> None:
    def last(**how: Any) -> float:
        one = RunSettings(
            architecture=MLP(hidden=[32] * 10, activation=activation, **how),
            optimizer=SGD(learning_rate=0.03, momentum=0.9),
            budget=Budget(iterations=1000),
        )
        return float(train(one)[0].history.loss[-1])

    assert last(init=init) < loss
    # Where they begin too small, all classes stay alike.
    assert last(init_scale=0.01) == pytest.approx(np.log(3), abs=1e-4)


def test_layers_and_activations_are_found_by_name() -> None:
    assert built(["relu", "max_pool"])[0].name == "relu"
    with pytest.raises(
        ConfigError, match=r"architecture\.layers\[0\]=relux: expected one of .*dense.*; did you mean"
    ):
        built(["relux"])
    with pytest.raises(ConfigError, match="expected a class that inherits from Layer"):
        load_part("architecture.layers[0]", {"_target_": "nnexp.optim.SGD"}, Layer)


@pytest.mark.parametrize(
    ("layers", "features", "message"),
    [
        (["max_pool"], (4,), "max_pool: features of shape .4,.; expected .channels, height, width."),
        (
            [{"name": "conv2d", "kernel": 5}],
            (1, 4, 4),
            "conv2d: windows of 5 x 5 pixels; expected at most .* 4 x 4",
        ),
        (
            [{"name": "conv2d", "groups": 3, "padding": 1}],
            (2, 4, 4),
            r"conv2d\.groups=3: expected a divisor of 2",
        ),
        ([{"name": "residual", "layers": []}], (4,), r"residual\.layers=\[\]: expected one layer"),
        ([{"name": "residual", "layers": [{"name": "dense", "neurons": 2}]}], (4,), "expected equal shapes"),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    layers: list[Any], features: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Network.of(built(layers), features, 3)


def test_flat_features_are_given_a_shape() -> None:
    layers = built([{"name": "conv2d", "channels": 2}])
    assert Layers(layers=layers, shape=[1, 4, 4]).network(16, 3, "float32").features == (1, 4, 4)
    with pytest.raises(ConfigError, match=r"architecture\.shape=\[1, 4, 4\]: 16 features; expected 15"):
        Layers(layers=layers, shape=[1, 4, 4]).network(15, 3, "float32")
