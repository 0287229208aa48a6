"""Gradient methods: each is its paper's formula and PyTorch's, alone and in any group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from required import need_module

from nnexp.calls import run
from nnexp.config.places import options
from nnexp.config.settings import ConfigError, Range, load_part, plain, settings_of
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import (
    LBFGS,
    SAM,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    At,
    GradientMethod,
    Lion,
    Method,
    NAdam,
    RMSProp,
    chain,
)
from nnexp.optim.rules import clip_by_norm, clip_by_value, decay, l1, trace
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
from nnexp.training import Budget, Group, Run, RunSettings, train

Array = np.ndarray[Any, Any]
Gradient = Callable[[Array], Array]

UPDATES = 200
"""Rates are such that a start moved by a rounding error moves the end by about as much: large rates are chaotic."""

CLOSE = 1e-9

SMALL = RunSettings(
    architecture=MLP(hidden=[4], activation="tanh", init_scale=0.5),  # type: ignore[arg-type]
    dataset=Spiral(samples=10, test_samples=4),
    budget=Budget(iterations=UPDATES),
    dtype="float64",
)


def trained(settings: list[RunSettings], log_every: int | None = 7) -> list[Run]:
    """The runs, trained as one group."""
    from nnexp.training import prepare

    group = Group([prepare(one, log_every) for one in settings])
    for _ in group.train():
        pass
    return group.runs


def gradient_of(one: Run) -> Gradient:
    """The gradient ``(P,)`` of a run's loss on all its data."""

    def gradient(theta: Array) -> Array:
        found = one.prepared.problem.score(theta[None], gradient=True).gradient
        assert found is not None
        return np.array(found[0])

    return gradient


# The papers' formulas, one parameter vector and one line a formula.


def sgd(
    theta: Array, gradient: Gradient, rate: float, momentum: float = 0, nesterov: bool = False
) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = momentum * v + g
        theta = theta - rate * (g + momentum * v if nesterov else v)
        yield theta


def adagrad(theta: Array, gradient: Gradient, rate: float) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = v + g**2
        theta = theta - rate * g / (np.sqrt(v) + 1e-10)
        yield theta


def rmsprop(
    theta: Array, gradient: Gradient, rate: float, decay: float, momentum: float = 0
) -> Iterator[Array]:
    v, sum_ = np.zeros_like(theta), np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = decay * v + (1 - decay) * g**2
        sum_ = momentum * sum_ + g / (np.sqrt(v) + 1e-8)
        theta = theta - rate * sum_
        yield theta


def adam(
    theta: Array, gradient: Gradient, rate: float, largest: bool = False, decay: float = 0
) -> Iterator[Array]:
    m, v, most, t = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta), 0
    while True:
        g, t = gradient(theta), t + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        most = np.maximum(most, v)
        scaled = np.sqrt((most if largest else v) / (1 - 0.999**t)) + 1e-8
        theta = theta - rate * (m / (1 - 0.9**t) / scaled + decay * theta)
        yield theta


def nadam(theta: Array, gradient: Gradient, rate: float) -> Iterator[Array]:
    m, v, product, t = np.zeros_like(theta), np.zeros_like(theta), 1.0, 0
    while True:
        g, t = gradient(theta), t + 1
        mu, after = (0.9 * (1 - 0.5 * 0.96 ** (number * 0.004)) for number in (t, t + 1))
        product *= mu
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        ahead = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
        theta = theta - rate * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        yield theta


def lion(theta: Array, gradient: Gradient, rate: float, decay: float = 0) -> Iterator[Array]:
    m = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        theta = theta - rate * (np.sign(0.9 * m + 0.1 * g) + decay * theta)
        m = 0.99 * m + 0.01 * g
        yield theta


def sam(theta: Array, gradient: Gradient, rate: float, rho: float, momentum: float = 0) -> Iterator[Array]:
    v = np.zeros_like(theta)
    while True:
        g = gradient(theta)
        v = momentum * v + gradient(theta + rho * g / np.linalg.norm(g))
        theta = theta - rate * v
        yield theta


def lbfgs(theta: Array, gradient: Gradient, rate: float, history: int) -> Iterator[Array]:
    """With the inverse Hessian as a matrix: each pair updates it by the formula of BFGS."""
    g, pairs, one = gradient(theta), [], np.eye(len(theta))
    step = g * min(1, 1 / np.abs(g).sum())
    while True:
        before, g_before = theta, g
        theta = theta - rate * step
        yield theta
        g = gradient(theta)
        s, y = theta - before, g - g_before
        if s @ y > 1e-10:
            pairs = [*pairs, (s, y)][-history:]
        inverse = one if not pairs else one * (pairs[-1][0] @ pairs[-1][1]) / (pairs[-1][1] @ pairs[-1][1])
        for s, y in pairs:
            left = one - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        step = inverse @ g


FORMULAS: dict[str, tuple[GradientMethod, Callable[[Array, Gradient], Iterator[Array]]]] = {
    "sgd": (SGD(0.2), lambda x, g: sgd(x, g, 0.2)),
    "momentum": (SGD(0.1, 0.9), lambda x, g: sgd(x, g, 0.1, 0.9)),
    "nesterov": (SGD(0.1, 0.8, nesterov=True), lambda x, g: sgd(x, g, 0.1, 0.8, True)),
    "adagrad": (AdaGrad(0.03), lambda x, g: adagrad(x, g, 0.03)),
    "rmsprop": (RMSProp(0.01, 0.9), lambda x, g: rmsprop(x, g, 0.01, 0.9)),
    "rmsprop_momentum": (RMSProp(0.002, 0.99, 0.5), lambda x, g: rmsprop(x, g, 0.002, 0.99, 0.5)),
    "adam": (Adam(0.01), lambda x, g: adam(x, g, 0.01)),
    "amsgrad": (Adam(0.01, amsgrad=True), lambda x, g: adam(x, g, 0.01, largest=True)),
    "adamw": (AdamW(0.01, weight_decay=0.1), lambda x, g: adam(x, g, 0.01, decay=0.1)),
    "nadam": (NAdam(0.001), lambda x, g: nadam(x, g, 0.001)),
    "lion": (Lion(0.003), lambda x, g: lion(x, g, 0.003)),
    "lion_decay": (Lion(0.003, weight_decay=0.1), lambda x, g: lion(x, g, 0.003, 0.1)),
    "sam": (SAM(0.2, rho=0.1), lambda x, g: sam(x, g, 0.2, 0.1)),
    "sam_momentum": (SAM(0.1, 0.9, rho=0.05), lambda x, g: sam(x, g, 0.1, 0.05, 0.9)),
}
TORCH: dict[str, tuple[GradientMethod, Callable[[Any, Any], Any]]] = {
    "sgd": (SGD(0.2), lambda o, p: o.SGD(p, 0.2)),
    "sgd_decay": (SGD(0.2, weight_decay=0.01), lambda o, p: o.SGD(p, 0.2, weight_decay=0.01)),
    "momentum": (SGD(0.1, 0.9), lambda o, p: o.SGD(p, 0.1, 0.9)),
    "nesterov": (SGD(0.1, 0.8, nesterov=True), lambda o, p: o.SGD(p, 0.1, 0.8, nesterov=True)),
    "adagrad": (AdaGrad(0.03), lambda o, p: o.Adagrad(p, 0.03)),
    "rmsprop": (RMSProp(0.01, 0.9), lambda o, p: o.RMSprop(p, 0.01, 0.9)),
    "rmsprop_momentum": (
        RMSProp(0.002, momentum=0.5, weight_decay=0.01),
        lambda o, p: o.RMSprop(p, 0.002, momentum=0.5, weight_decay=0.01),
    ),
    "adam": (Adam(0.01), lambda o, p: o.Adam(p, 0.01)),
    "adam_decay": (
        Adam(0.01, 0.8, 0.99, weight_decay=0.01),
        lambda o, p: o.Adam(p, 0.01, (0.8, 0.99), weight_decay=0.01),
    ),
    "amsgrad": (Adam(0.01, amsgrad=True), lambda o, p: o.Adam(p, 0.01, amsgrad=True)),
    "adamw": (AdamW(0.01), lambda o, p: o.AdamW(p, 0.01)),
    "nadam": (NAdam(0.001), lambda o, p: o.NAdam(p, 0.001)),
    "lbfgs": (LBFGS(0.2, backtrack=False), lambda o, p: o.LBFGS(p, 0.2, max_iter=1, history_size=10)),
    "lbfgs_short": (
        LBFGS(0.3, history=3, backtrack=False),
        lambda o, p: o.LBFGS(p, 0.3, max_iter=1, history_size=3),
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMULAS)
def test_a_method_is_its_papers_formula(name: str, seed: int) -> None:
    method, formula = FORMULAS[name]
    (one,) = trained([replace(SMALL, optimizer=method, seed=seed)])
    steps = formula(one.prepared.theta, gradient_of(one))
    *_, expected = (next(steps) for _ in range(UPDATES))
    np.testing.assert_allclose(one.final_theta, expected, rtol=0, atol=CLOSE)
    assert np.abs(expected - one.prepared.theta).max() > 0.1


@pytest.mark.parametrize("history", [2, 5, 40])
def test_lbfgs_is_the_formula_of_bfgs_with_the_last_pairs(history: int) -> None:
    (one,) = trained(
        [replace(SMALL, optimizer=LBFGS(0.5, history=history, backtrack=False), budget=Budget(iterations=30))]
    )
    steps = lbfgs(one.prepared.theta, gradient_of(one), 0.5, history)
    *_, expected = (next(steps) for _ in range(30))
    np.testing.assert_allclose(one.final_theta, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TORCH)
def test_a_method_is_pytorchs(name: str, seed: int) -> None:
    need_module("torch", "benchmarks")
    import torch

    method, make = TORCH[name]
    updates = 30 if "lbfgs" in name else UPDATES  # its steps magnify rounding errors most
    (one,) = trained([replace(SMALL, optimizer=method, seed=seed, budget=Budget(iterations=updates))])
    # PyTorch keeps a product of NAdam's in the default type.
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        theta = torch.nn.Parameter(torch.tensor(one.prepared.theta))
        optimizer, gradient = make(torch.optim, [theta]), gradient_of(one)

        def closure() -> float:
            theta.grad = torch.tensor(gradient(theta.detach().numpy()))
            return 0.0

        for _ in range(updates):
            closure()
            optimizer.step(closure)
    finally:
        torch.set_default_dtype(default)
    np.testing.assert_allclose(one.final_theta, theta.detach().numpy(), rtol=0, atol=CLOSE)


# Groups.


def gradient_methods() -> list[str]:
    methods = (load_part("optimizer", name, Method) for name in options("optimizer"))
    return [method.name for method in methods if isinstance(method, GradientMethod)]


def unlike(method: GradientMethod, rng: np.random.Generator) -> GradientMethod:
    """The method with other numbers where runs of one group may differ; what is off stays off."""
    drawn = {}
    for f in settings_of(type(method)):
        within, value = f.metadata["within"], getattr(method, f.name)
        if f.metadata["per_run"] and isinstance(within, Range) and isinstance(value, float) and value:
            low, high = within.search or (value / 2, value)
            drawn[f.name] = float(rng.uniform(max(low, 1e-12), high))
    return replace(method, **drawn)


def with_everything(method: GradientMethod, average: Any) -> GradientMethod:
    extras = {"weight_decay": 0.05, "l1": 0.001, "clip_norm": 0.3, "clip_value": 0.2, "average": average}
    if isinstance(method, SGD | RMSProp):
        extras["momentum"] = 0.5
    schedule = Chain(schedules=[Cosine(end=0.1, warmup=5), InverseTime(0.01), Step(7, 0.9)])
    return replace(method, schedule=schedule, **extras)


def assert_equal(one: Run, other: Run) -> None:
    for name in set(one.history._fields) - {"seconds"}:
        np.testing.assert_array_equal(getattr(one.history, name), getattr(other.history, name), name)
    for name in ("final_theta", "best_theta", "best_loss", "status", "iterations", "evaluations"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("extras", [None, 0.9, "polyak"])
@pytest.mark.parametrize("name", gradient_methods())
def test_runs_in_a_group_are_the_runs_alone(
    name: str, extras: Any, batch_size: int | None, dtype: Any
) -> None:
    method = load_part("optimizer", name, Method)
    assert isinstance(method, GradientMethod)
    if batch_size is not None:
        try:
            method = replace(method, batch_size=batch_size)
        except ConfigError:
            pytest.skip(f"{name} takes no mini-batches")
    if extras is not None:
        method = with_everything(method, extras)
    rng = np.random.default_rng(5)
    settings = [
        replace(
            SMALL, seed=seed, dtype=dtype, optimizer=unlike(method, rng), budget=Budget(iterations=iterations)
        )
        for seed, iterations in enumerate((300, 31, 77, 300, 30, 9))
    ]
    # One diverges, early or late.
    settings[3] = replace(settings[3], optimizer=replace(settings[3].optimizer, learning_rate=1e30))
    together = trained(settings)
    for one, own in zip(together, settings, strict=True):
        (alone,) = trained([own])
        assert_equal(one, alone)
    assert [one.iterations for one in together[:3]] == [300, 31, 77]


@pytest.mark.parametrize("name", gradient_methods())
def test_values_that_may_differ_do_not_make_another_group(name: str) -> None:
    from nnexp.training.group import split

    method = load_part("optimizer", name, Method)
    assert isinstance(method, GradientMethod)
    rng = np.random.default_rng(1)
    full = with_everything(method, 0.5)
    one, other = (replace(SMALL, optimizer=unlike(full, rng)) for _ in range(2))
    bare = replace(SMALL, optimizer=method)
    assert split([one, bare, other]) == [[0, 2], [1]]
    assert split([one, replace(one, optimizer=replace(full, average="polyak"))]) == [[0], [1]]
    assert split([one, replace(one, optimizer=replace(full, clip_norm=None))]) == [[0], [1]]


def test_gradient_descent_makes_two_calls_an_update() -> None:
    assert len(bound(SGD(0.1))[1]) == 2
    assert len(bound(SGD(0.1, 0.9))[1]) == 4
    assert len(bound(Adam(0.1))[1]) <= 12


# Rules.


def bound(method: GradientMethod, runs: int = 1, size: int = 3) -> tuple[At, list[Any]]:
    theta = np.linspace(-1.0, 2.0, runs * size).reshape(runs, size)
    limits = np.full(runs, 100)
    at = At(theta, np.zeros_like(theta), np.zeros(runs), np.zeros((), np.int64), limits, (), (), {})
    return at, method.bind(at)


def applied(rule: Any, gradients: Array, theta: Array | None = None) -> Array:
    """The steps ``(T, R, P)`` that a rule makes of gradients."""
    step = np.empty_like(gradients[0])
    at_theta = np.zeros_like(step) if theta is None else theta
    at = At(at_theta, step, np.zeros(len(step)), np.zeros((), np.int64), np.full(len(step), 9), (), (), {})
    calls, made = rule(at, step)
    steps = []
    for gradient in gradients:
        step[...] = gradient
        run(calls)
        np.add(at.count, 1, at.count)
        steps.append(made.copy())
    return np.array(steps)


def test_rules_of_one_kind_have_memories_of_their_own() -> None:
    steps = applied(chain(trace(0.5), trace(0.9)), np.ones((3, 1, 1)))
    np.testing.assert_allclose(steps.ravel(), [1, 2.4, 3.91], rtol=1e-15)
    nested = applied(chain(chain(trace(0.5)), chain(trace(0.9))), np.ones((3, 1, 1)))
    np.testing.assert_array_equal(steps, nested)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_keeps_small_gradients_bit_for_bit_and_bounds_others(dtype: Any) -> None:
    g = np.random.default_rng(0).standard_normal((1, 4, 5)).astype(dtype)
    norms = np.linalg.norm(g[0], axis=1)
    limits = norms * [0.5, 2, 1.5, 0.01]
    clipped = applied(clip_by_norm(limits), g)[0]
    np.testing.assert_array_equal(clipped[1:3], g[0, 1:3])
    np.testing.assert_allclose(np.linalg.norm(clipped[[0, 3]], axis=1), limits[[0, 3]], rtol=1e-6)
    np.testing.assert_allclose(clipped[0] / norms[0] * 2, g[0, 0] / norms[0], rtol=1e-6)
    assert applied(clip_by_norm(1.0), np.zeros((1, 1, 3), dtype)).tolist() == [[[0, 0, 0]]]
    np.testing.assert_array_equal(applied(clip_by_value(0.4), g)[0], g[0].clip(dtype(-0.4), dtype(0.4)))


def test_decay_and_l1_are_gradients_of_their_penalties() -> None:
    theta, g = np.array([[1.0, -2.0, 0.0]]), np.array([[[0.5, 0.5, 0.5]]])
    np.testing.assert_allclose(applied(decay(0.1), g, theta)[0], [[0.6, 0.3, 0.5]])
    np.testing.assert_allclose(applied(l1(0.1), g, theta)[0], [[0.6, 0.4, 0.5]])


def test_decoupled_decay_does_not_go_through_the_means() -> None:
    """Without a gradient AdamW's weights shrink by one share at each update; Adam's by its rate."""
    for method, after in ((AdamW(0.1, weight_decay=0.5), 0.95**3), (SGD(0.1, weight_decay=0.5), 0.95**3)):
        at, calls = bound(method)
        start = at.theta.copy()
        for _ in range(3):
            run(calls)
            np.add(at.count, 1, at.count)
        np.testing.assert_allclose(at.theta, after * start, rtol=1e-12)
    at, calls = bound(Adam(0.1, weight_decay=0.5))
    start = at.theta.copy()
    run(calls)
    np.testing.assert_allclose(at.theta, start - 0.1 * np.sign(start), atol=1e-6)


# Averages.


@pytest.mark.parametrize("average", [0.0, 0.9, "polyak"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_answer_is_the_average_of_the_weights(average: Any, batch_size: int | None) -> None:
    method = SGD(0.3, 0.5, batch_size=batch_size)
    ways = [
        replace(SMALL, optimizer=one, budget=Budget(iterations=40))
        for one in (method, replace(method, average=average))
    ]
    (plain_run,), (averaged,) = (trained([one], log_every=1) for one in ways)
    thetas = [plain_run.snapshots.theta[0]]
    thetas = [trained([replace(ways[0], budget=Budget(iterations=t))])[0].final_theta for t in range(1, 41)]
    expected = plain_run.prepared.theta
    for t, theta in enumerate(thetas, 1):
        share = 1 / t if average == "polyak" else 1 - average
        expected = expected + share * (theta - expected)
        # Each row's loss is that of the average, on all data.
        measured = averaged.prepared.problem.evaluate(expected)
        np.testing.assert_allclose(averaged.history.loss[t], measured.loss, rtol=1e-10)
        np.testing.assert_allclose(averaged.history.val_loss[t], measured.val_loss, rtol=1e-10)
    np.testing.assert_allclose(averaged.final_theta, expected, rtol=0, atol=1e-12)
    assert averaged.history.loss[0] == plain_run.history.loss[0]


def test_polyaks_average_is_the_mean_and_pytorchs() -> None:
    need_module("torch", "benchmarks")
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    (start,) = trained([replace(SMALL, budget=Budget(iterations=1))])
    gradient = gradient_of(start)
    for average, function in ((0.9, get_ema_multi_avg_fn(0.9)), ("polyak", None)):
        model = torch.nn.ParameterList([torch.nn.Parameter(torch.tensor(start.prepared.theta))])
        optimizer = torch.optim.SGD(model.parameters(), 0.2)
        kept = AveragedModel(model, multi_avg_fn=function)
        if function is not None:
            kept.update_parameters(model)  # begins at the start
        for _ in range(50):
            model[0].grad = torch.tensor(gradient(model[0].detach().numpy()))
            optimizer.step()
            kept.update_parameters(model)
        ours = replace(SMALL, optimizer=SGD(0.2, average=average), budget=Budget(iterations=50))
        (one,) = trained([ours])
        np.testing.assert_allclose(one.final_theta, kept.module[0].detach().numpy(), rtol=0, atol=CLOSE)


# Gradients asked for again.


def test_an_update_of_sam_is_two_gradients() -> None:
    asked: list[Array] = []
    at, _ = bound(SGD(0.1))

    def again() -> None:
        asked.append(at.theta.copy())
        at.gradient[...] = 10.0

    at = replace(at, again=[again])
    calls = SAM(0.1, rho=0.5).bind(at)
    start = at.theta.copy()
    at.gradient[...] = [[3.0, 0.0, -4.0]]
    run(calls)
    assert len(asked) == 1
    np.testing.assert_allclose(asked[0], start + 0.5 * np.array([[0.6, 0.0, -0.8]]), rtol=1e-12)
    np.testing.assert_allclose(at.theta, start - 1.0, rtol=1e-12)


def test_an_update_of_sam_is_six_evaluations() -> None:
    (one,) = trained([replace(SMALL, optimizer=SAM(0.1), budget=Budget(evaluations=100))])
    assert (one.iterations, one.evaluations) == (16, 96)
    assert one.history.evaluations[-1] == 96


def test_sam_starts_again_where_it_stood() -> None:
    """The step uphill is taken back without a rounding error: at a rate of almost nothing nothing moves."""
    (one,) = trained([replace(SMALL, optimizer=SAM(1e-300), budget=Budget(iterations=20))])
    moved = one.prepared.theta != 0  # biases begin at zero, beside which nothing is small
    np.testing.assert_array_equal(one.final_theta[moved], one.prepared.theta[moved])


def test_lbfgs_with_backtracking_never_raises_the_loss_and_steps_on() -> None:
    ways = [
        replace(SMALL, seed=seed, optimizer=LBFGS(backtrack=backtrack), budget=Budget(iterations=100))
        for backtrack in (True, False)
        for seed in range(3)
    ]
    careful, bold = trained(ways[:3], 1), trained(ways[3:], 1)
    for one, other in zip(careful, bold, strict=True):
        assert (np.diff(one.history.loss) <= 0).all()
        assert one.history.loss[-1] < 0.8 * one.history.loss[0]
        assert (np.diff(other.history.loss) > 0).any()
        assert (one.evaluations, other.evaluations) == (600, 300)


def test_lbfgs_takes_no_mini_batches() -> None:
    with pytest.raises(ConfigError, match=r"lbfgs\.batch_size=8: expected null"):
        LBFGS(batch_size=8)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ConfigError, match=r"sgd\.nesterov=true: expected momentum above 0"):
        SGD(nesterov=True)


# Schedules.


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


def test_train_puts_runs_of_all_gradient_methods_into_their_groups() -> None:
    methods = [load_part("optimizer", name, Method) for name in gradient_methods()]
    settings = [
        replace(SMALL, optimizer=method, seed=seed, budget=Budget(iterations=30))
        for seed in range(2)
        for method in methods
    ]
    for one in train(settings):
        assert one.status == "finished"
        assert one.history.loss[-1] < one.history.loss[0]
