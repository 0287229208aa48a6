"""Contracts of parts as functions for tests: nnexp tests its conf files with them, and you can test your own parts.

Each raises AssertionError with the fault. They train small networks, alone and in groups, in less than a second.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from nnexp.calls import run as run_calls
from nnexp.config.settings import plain, setting
from nnexp.data import Data, Dataset, Sine, Sizes, Spiral, Split, frozen
from nnexp.data.dataset import Generators
from nnexp.data.streams import streams
from nnexp.losses import CrossEntropy, Loss, SquaredError, Target, target
from nnexp.losses.metrics import Metric
from nnexp.network import MLP, Activation, Dense, Initializer, Layer, Layers, Linear, Sigmoid, Softmax, Tanh
from nnexp.network.buffers import Memory
from nnexp.optim import SGD, GradientMethod, Method
from nnexp.optim.schedules import Schedule
from nnexp.training import Budget, Group, Problem, Run, RunSettings
from nnexp.training.packed import pack, unpack
from nnexp.training.passes import Pass
from nnexp.training.prepare import prepare_group

Array = np.ndarray[Any, Any]

SMALL = RunSettings(
    architecture=MLP(hidden=[5], init_scale=0.5),
    dataset=Spiral(samples=11, test_samples=4),
    optimizer=SGD(0.5),
    budget=Budget(iterations=40),
)
"""A run that takes milliseconds."""

TOLERANCE = 1e-6
"""Largest difference of a float64 gradient from finite differences, relative to the largest element."""


def check_method(method: Method, settings: RunSettings = SMALL) -> None:
    """A method is repeatable, keeps its budget, counts its cost, and gives equal bits in a group and alone.

    Args:
        method: to be checked.
        settings: of the run that it trains.
    """
    for dtype in ("float32", "float64"):
        own = replace(settings, optimizer=method, dtype=dtype)
        check_group(_variants(own))
        batch = getattr(method, "batch_size", None)
        if isinstance(method, GradientMethod) and batch is None and _takes(method, batch_size=7):
            check_group(_variants(replace(own, optimizer=replace(method, batch_size=7))))
    (run,) = _trained([replace(settings, optimizer=method)])
    budget = settings.budget
    assert budget.iterations is None or run.iterations <= budget.iterations, (
        "it did more iterations than its budget"
    )
    rows = run.history
    assert (np.diff(rows.iteration) > 0).all(), "iterations of its rows do not increase"
    assert (np.diff(rows.evaluations) >= 0).all(), "evaluations of its rows decrease"
    assert np.isfinite(run.final_theta).all(), "its answer has numbers that are not finite"
    assert not np.array_equal(run.final_theta, run.prepared.theta), "the answer is still the initial theta"
    limited = replace(settings, optimizer=method, budget=Budget(evaluations=25))
    (short,) = _trained([limited])
    assert short.evaluations <= 25, "it spent more evaluations than its budget"


def check_schedule(schedule: Schedule) -> None:
    """A schedule's rates are finite and not negative, and runs of different budgets are equal in a group and alone."""
    factors = schedule.factor(np.arange(100.0)[:, None], np.array([100.0, 40.0]))
    assert np.broadcast_shapes(np.shape(factors), (100, 2)) == (100, 2), (
        "factor(t (T, 1), total (R,)) is not (T, R)"
    )
    assert np.isfinite(factors).all(), "a factor is not finite"
    assert (np.asarray(factors) >= 0).all(), "a factor is negative"
    check_method(replace(SGD(0.3), schedule=schedule))


def check_activation(activation: Activation) -> None:
    """An activation's backward pass is its derivative, and networks with it are equal in a group and alone."""
    if activation.elementwise:
        settings = replace(
            SMALL, architecture=replace(MLP(hidden=[4, 3], init_scale=0.7), activation=activation)
        )
        check_gradient(settings)
        check_group(_variants(settings))
    loss = CrossEntropy(clip=1e-7) if activation.probabilities else SquaredError()
    output = replace(
        SMALL, architecture=replace(MLP(hidden=[4], init_scale=0.5), output=activation), loss=loss
    )
    check_gradient(output)
    check_group(_variants(replace(output, optimizer=SGD(0.01))))
    z = np.linspace(-3, 3, 24).reshape(2, 3, 4)
    ones = activation(np.ones((1, 1, 1)))
    assert activation.keeps_one == bool(ones[0, 0, 0] == 1) or not activation.elementwise, (
        "keeps_one differs from f(1) == 1"
    )
    assert np.isfinite(activation(z.copy())).all(), "a value is not finite for inputs from -3 to 3"


def check_layer(layer: Layer, features: tuple[int, ...] = (2, 4, 3)) -> None:
    """A layer's calls agree with its apply, its gradient is right in training, and runs are equal in a group and alone.

    Args:
        features: the shape of a sample's input.
    """
    settings = replace(
        SMALL,
        architecture=Layers(layers=[layer, Dense(3), Tanh()]),
        dataset=_Noise(features=list(features)),
        optimizer=SGD(0.1),
        dtype="float64",
        budget=Budget(iterations=8),
    )
    problem = Group.of(settings).runs[0].prepared.problem
    network, layout = problem.network, problem.network.layout
    rng = np.random.default_rng(0)
    # Positive numbers, because some may be variances.
    theta = 0.1 + np.abs(0.5 * rng.standard_normal(layout.size))
    outputs, plain_outputs = network.forward(theta, problem.train.x), network.apply(theta, problem.train.x)
    assert np.allclose(outputs, plain_outputs, rtol=1e-9), (
        "its bound calls and its apply give different outputs"
    )

    def pass_of(thetas: Array) -> Pass:
        bound = problem.bind(len(thetas), None, Memory(), [np.random.default_rng(1) for _ in thetas])
        bound.theta[...] = thetas
        run_calls(bound.calls(gradient=True))
        return bound

    steps = 1e-6 * np.eye(layout.size)[: layout.trained]
    both = pass_of(np.concatenate([theta + steps, theta - steps])).loss.reshape(2, -1)
    gradient, numeric = pass_of(theta[None]).gradient, (both[0] - both[1]) / 2e-6
    assert gradient is not None
    worst = np.abs(gradient[0, : layout.trained] - numeric).max() / max(np.abs(numeric).max(), 1e-3)
    assert worst < TOLERANCE, f"the gradient differs from finite differences by {worst:.1e}, relatively"
    for dtype in ("float32", "float64"):
        for size in (None, 4):
            check_group(_variants(replace(settings, dtype=dtype, optimizer=SGD(0.1, batch_size=size))))


def check_initializer(init: Initializer) -> None:
    """An initializer gives finite weights of the requested shape, and the same ones for the same seed."""
    for shape in ((3, 5), (5, 3), (1, 1)):
        drawn, again = (init.draw(shape, shape[1], shape[0], np.random.default_rng(0)) for _ in range(2))
        assert drawn.shape == shape, f"weights of shape {drawn.shape}; expected {shape}"
        assert np.isfinite(drawn).all(), "a weight is not finite"
        assert np.array_equal(drawn, again), "the same seed gives different weights"
    check_group(_variants(replace(SMALL, architecture=MLP(hidden=[5], init=init))))


@dataclass(frozen=True)
class _Noise(Dataset):
    """Whole numbers from 0 to 3 as features of a shape, which may be read as numbers or as words."""

    features: list[int] = setting([2, 4, 3], "shape")

    def sizes(self) -> Sizes:
        return Sizes(tuple(self.features), 3, 9, test=4)

    def load(self, draws: Generators, dtype: Any) -> Split:
        def some(count: int) -> Data:
            x = draws["dataset"].integers(0, 4, (int(np.prod(self.features)), count))
            return frozen(x, draws["dataset"].integers(0, 3, count), dtype)

        return Split(some(9), test=some(4))


def check_loss(loss: Loss, output: Activation | None = None) -> None:
    """A loss's gradient is the derivative of its value, and runs with it are equal in a group and alone.

    Args:
        output: the output activation; None: the first of linear, softmax and sigmoid that the loss accepts.
    """
    chosen = output or next(
        one for one in (Linear(), Softmax(), Sigmoid()) if _follows(loss, one, SMALL.dataset.sizes().outputs)
    )
    settings = replace(
        SMALL,
        loss=loss,
        architecture=replace(MLP(hidden=[4], init_scale=0.5), output=chosen),
        optimizer=SGD(0.01),
    )
    check_gradient(settings)
    check_group(_variants(settings))


def check_metric(metric: Metric) -> None:
    """A metric is one number for each run's outputs, independent of other runs; runs are equal in a group and alone."""
    rng = np.random.default_rng(0)
    for to, lead in ((to, lead) for to in (_classes(rng), _numbers(rng)) for lead in ((), (1,), (2, 3))):
        if not _takes_targets(metric, to):
            continue
        outputs = np.abs(rng.standard_normal((*lead, *to.values.shape))).astype(np.float32)
        outputs /= outputs.sum(axis=-2, keepdims=True)
        outputs.setflags(write=False)
        value = np.asarray(metric.value(outputs, to))
        assert value.shape == lead, f"a value of shape {value.shape}; expected {lead}, one number a run"
        assert np.isfinite(value).all(), "it is not finite"
        assert not metric.share or (0 <= value.min() <= value.max() <= 1), (
            "share is true, but a value is not in 0 to 1"
        )
        for at in np.ndindex(lead):
            alone = np.asarray(metric.value(outputs[at], to))
            assert alone == value[at], "a run's value depends on other runs"
        best = np.asarray(metric.value(to.values, to))
        ahead = value <= best if metric.higher_is_better else value >= best
        assert ahead.all(), (
            "outputs equal to the targets are worse than random ones: is higher_is_better right?"
        )
    settings = replace(SMALL, metrics=[metric])
    if not _takes_targets(metric, _classes(rng)):
        architecture = MLP(hidden=[4], output=Linear())
        sine = Sine(samples=9, test_samples=5)
        settings = replace(settings, dataset=sine, loss=SquaredError(), architecture=architecture)
    for size in (None, 4):
        short = replace(settings, optimizer=SGD(0.01, batch_size=size), budget=Budget(iterations=8))
        check_group(_variants(short))


def _classes(rng: np.random.Generator) -> Target:
    return target(np.concatenate([np.arange(3), rng.integers(0, 3, 17)]), 3, "float32")


def _numbers(rng: np.random.Generator) -> Target:
    return target(rng.standard_normal((2, 20)), 2, "float32")


def _takes_targets(metric: Metric, to: Target) -> bool:
    try:
        metric.check(to)
    except ValueError:
        return False
    return True


def check_dataset(dataset: Dataset) -> None:
    """A dataset has the sizes that it gives, is read-only and repeatable; runs on it are equal in a group and alone."""
    sizes = dataset.sizes()
    for dtype in ("float32", "float64"):
        split, again = (dataset.load(streams(3), dtype) for _ in range(2))
        counts = (sizes.samples, sizes.validation, sizes.test)
        for part, other, samples in zip(split, again, counts, strict=True):
            assert (0 if part is None else part.x.shape[-1]) == samples, (
                f"its number of samples is not {samples}, the number in sizes()"
            )
            if part is None or other is None:
                continue
            assert part.x.dtype == dtype, f"inputs are not {dtype}"
            writeable = part.x.flags.writeable or part.y.flags.writeable
            assert not writeable, "its arrays can be written"
            assert np.isfinite(part.x).all(), "inputs are not finite"
            assert np.array_equal(part.x, other.x), "the same seed gives different inputs"
            assert np.array_equal(part.y, other.y), "the same seed gives different targets"
            classes = np.issubdtype(part.y.dtype, np.integer)
            assert part.y.shape[-1] == samples, "numbers of targets and samples differ"
            assert not classes or 0 <= part.y.min() <= part.y.max() < sizes.outputs, "a class is out of range"
    architecture = MLP(hidden=[4])
    loss: Loss = CrossEntropy()
    if not sizes.classes:
        architecture, loss = replace(architecture, output=Linear()), SquaredError()
    settings = replace(SMALL, dataset=dataset, architecture=architecture, loss=loss, optimizer=SGD(0.001))
    check_group(_variants(replace(settings, budget=Budget(iterations=5))))


def check_group(settings: Sequence[RunSettings]) -> None:
    """Runs that are trained together are equal, bit for bit, to each alone.

    So are runs that were stopped, saved, and continued in another group.
    """
    for at, (run, later) in enumerate(zip(_trained(settings), _resumed(settings), strict=True)):
        (alone,) = _trained([settings[at]])
        _equal(run, alone, "alone")
        _equal(run, later, "that was stopped and resumed")


def check_gradient(settings: RunSettings) -> None:
    """The gradient of a run's loss is its finite difference, in float64 at a random point."""
    prepared = Group.of(replace(settings, dtype="float64")).runs[0].prepared
    problem = Problem(prepared.problem.network, prepared.settings.loss, _targets(prepared.problem))
    rng = np.random.default_rng(0)
    theta = prepared.theta + 0.1 * rng.standard_normal(prepared.theta.shape)
    scored = problem.score(theta[None], gradient=True).gradient
    assert scored is not None
    gradient = scored[0].copy()
    step = 1e-6
    shifts = step * np.eye(len(theta))
    ahead, behind = (problem.score(theta + shift).loss for shift in (shifts, -shifts))
    assert ahead is not None
    assert behind is not None
    numeric = (ahead - behind) / (2 * step)
    worst = np.abs(numeric - gradient).max() / max(np.abs(numeric).max(), 1e-3)
    assert worst < TOLERANCE, f"the gradient differs from finite differences by {worst:.1e}, relatively"


def _targets(problem: Problem) -> Data:
    return frozen(problem.train.x, problem.train.y, np.float64)


def _variants(settings: RunSettings) -> list[RunSettings]:
    """Four runs of one group with different seeds, budgets, and settings that may differ."""
    most = settings.budget.iterations or 20
    budgets = (most, max(1, most // 3), most, max(1, most - 1))
    varied = [
        replace(settings, seed=seed, budget=Budget(iterations=iterations))
        for seed, iterations in enumerate(budgets)
    ]
    rate = getattr(settings.optimizer, "learning_rate", None)
    if isinstance(settings.optimizer, GradientMethod) and rate is not None:
        varied[1] = replace(varied[1], optimizer=replace(settings.optimizer, learning_rate=rate / 2))
    return varied


def _trained(settings: Sequence[RunSettings]) -> list[Run]:
    group = Group.of(settings)
    for _ in group.train():
        pass
    return group.runs


def _resumed(settings: Sequence[RunSettings]) -> list[Run]:
    """The runs, saved half way, and resumed in a group of the reverse order."""
    half = max(one.budget.iterations or 0 for one in settings) // 2
    first = Group(prepare_group((one, None, 20) for one in settings), span=max(half // 2, 1))
    for _ in first.blocks():
        # Between blocks, where checkpoints are written.
        if max(run.iterations for run in first.runs) >= half:
            break
    file = io.BytesIO()
    pack([run.saved() for run in first.runs], file)
    file.seek(0)
    second = Group(prepare_group((one, None, 20) for one in settings[::-1]), unpack(file)[::-1])
    for _ in second.train():
        pass
    return second.runs[::-1]


def _equal(run: Run, other: Run, how: str) -> None:
    about = f"{run.prepared.settings.optimizer.name}, seed {run.prepared.settings.seed}"
    assert list(run.history) == list(other.history), f"{about}: columns differ from the run {how}"
    for f in run.history:
        if f == "seconds":
            continue
        one, two = run.history[f], other.history[f]
        assert np.array_equal(one, two, equal_nan=True), f"{about}: {f} differs from the run {how}"
    assert np.array_equal(run.final_theta, other.final_theta), f"{about}: weights differ from the run {how}"
    assert np.array_equal(run.snapshots.theta, other.snapshots.theta), (
        f"{about}: snapshots differ from the run {how}"
    )
    assert run.improvements == other.improvements, f"{about}: improvements differ from the run {how}"
    assert np.array_equal(run.best_theta, other.best_theta), (
        f"{about}: best weights differ from the run {how}"
    )
    assert run.status == other.status, f"{about}: it is {run.status}, and {other.status} {how}"


def _takes(method: Method, **changes: Any) -> bool:
    known = {f.name for f in fields(method)}
    if not set(changes) <= known:
        return False
    try:
        replace(method, **changes)
    except ValueError:
        return False
    return True


def _follows(loss: Loss, output: Activation, outputs: int) -> bool:
    try:
        loss.check(output, outputs)
    except ValueError:
        return False
    return True


def check_plain(part: Any) -> None:
    """A part can be rebuilt from its plain values, as a record has them."""
    values = plain(part)
    assert (
        type(part).from_settings(**{key: value for key, value in values.items() if key != "_target_"}) == part
    )
