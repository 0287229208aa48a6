"""Gradient methods: each is its paper's formula and PyTorch's, alone and in any group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from descents import CLOSE, SMALL, UPDATES, Array, Gradient, assert_equal, bound, gradient_of, trained
from papers import adagrad, adam, lbfgs, lion, nadam, rmsprop, sam, sgd
from required import need_module

from nnexp.calls import run
from nnexp.config.places import options
from nnexp.config.settings import ConfigError, Range, load_part, settings_of
from nnexp.network import Architecture
from nnexp.optim import (
    LBFGS,
    SAM,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    GradientMethod,
    Lion,
    Method,
    NAdam,
    RMSProp,
)
from nnexp.optim.schedules import Chain, Cosine, InverseTime, Step
from nnexp.training import Budget, RunSettings, train
from nnexp.training.group import split

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


def from_formula(name: str, seed: int) -> float:
    """How far a method's weights are from its paper's formula's in the end."""
    method, formula = FORMULAS[name]
    (one,) = trained([replace(SMALL, optimizer=method, seed=seed)])
    steps = formula(one.prepared.theta, gradient_of(one))
    *_, expected = (next(steps) for _ in range(UPDATES))
    assert np.abs(expected - one.prepared.theta).max() > 0.1
    return float(np.abs(one.final_theta - expected).max())


def from_torch(name: str, seed: int) -> float:
    """How far a method's weights are from those of PyTorch's optimizer in the end."""
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
    return float(np.abs(one.final_theta - theta.detach().numpy()).max())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMULAS)
def test_a_method_is_its_papers_formula(name: str, seed: int) -> None:
    assert from_formula(name, seed) < CLOSE


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TORCH)
def test_a_method_is_pytorchs(name: str, seed: int) -> None:
    need_module("torch", "benchmarks")
    assert from_torch(name, seed) < CLOSE


@pytest.mark.parametrize("history", [2, 5, 40])
def test_lbfgs_is_the_formula_of_bfgs_with_the_last_pairs(history: int) -> None:
    (one,) = trained(
        [replace(SMALL, optimizer=LBFGS(0.5, history=history, backtrack=False), budget=Budget(iterations=30))]
    )
    steps = lbfgs(one.prepared.theta, gradient_of(one), 0.5, history)
    *_, expected = (next(steps) for _ in range(30))
    np.testing.assert_allclose(one.final_theta, expected, rtol=0, atol=1e-8)


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


def unlike_runs(method: GradientMethod, dtype: Any) -> list[RunSettings]:
    """Six runs that end at unlike updates; one diverges, early or late."""
    rng = np.random.default_rng(5)
    settings = [
        replace(
            SMALL, seed=seed, dtype=dtype, optimizer=unlike(method, rng), budget=Budget(iterations=iterations)
        )
        for seed, iterations in enumerate((300, 31, 77, 300, 30, 9))
    ]
    settings[3] = replace(settings[3], optimizer=replace(settings[3].optimizer, learning_rate=1e30))
    return settings


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
    settings = unlike_runs(method, dtype)
    together = trained(settings)
    for one, own in zip(together, settings, strict=True):
        (alone,) = trained([own])
        assert_equal(one, alone)
    assert [one.iterations for one in together[:3]] == [300, 31, 77]


@pytest.mark.parametrize("name", gradient_methods())
def test_values_that_may_differ_do_not_make_another_group(name: str) -> None:
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


@pytest.mark.parametrize("name", gradient_methods())
def test_layers_that_are_not_trained_or_draw_keep_groups_equal(name: str) -> None:
    """Running statistics are moved by no method, and an update that asks again draws what it draws alone."""
    layers = [{"name": "dense", "neurons": 6}, "batch_norm", "relu", "dropout"]
    architecture = load_part("architecture", {"name": "layers", "layers": layers}, Architecture)
    method = load_part("optimizer", name, Method)
    assert isinstance(method, GradientMethod)
    for one in (method, with_everything(method, 0.9)):
        settings = [replace(own, architecture=architecture) for own in unlike_runs(one, "float32")]
        for together, own in zip(trained(settings), settings, strict=True):
            assert_equal(together, trained([own])[0])


@pytest.mark.parametrize(
    "method", [SAM(0.1, rho=0.5), LBFGS(), SAM(0.1, average=0.5), LBFGS(average="polyak")]
)
def test_a_method_that_looks_around_answers_with_where_it_stood(method: GradientMethod) -> None:
    """An interruption may come while theta is elsewhere."""
    at, _ = bound(SGD())
    start, seen = at.theta.copy(), []

    def again() -> None:
        assert not np.array_equal(at.theta, start)
        seen.append(method.answer(at).copy())

    at = replace(at, again=[again])
    calls = method.bind(at)
    at.gradient[...] = 1.0
    run(calls)
    np.testing.assert_array_equal(seen, [start])
    assert not np.array_equal(method.answer(at), start)
