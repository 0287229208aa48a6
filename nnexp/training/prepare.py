"""From settings to the parts of a run: problem, method, initial theta and random generators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from nnexp.config.settings import ConfigError, Part, settings_of, shown
from nnexp.data.dataset import Sizes, Split
from nnexp.data.generated import Generated
from nnexp.data.loading import load
from nnexp.data.streams import streams
from nnexp.losses.loss import Loss
from nnexp.network.limits import TooLarge, ask
from nnexp.network.network import Network, as_shape
from nnexp.notebook.data import notebook_data
from nnexp.notebook.start import notebook_start
from nnexp.optim import Draws, Method, SearchMethod
from nnexp.optim.draws import draws_from
from nnexp.training.problem import Problem
from nnexp.training.run_settings import RunSettings

Array = np.ndarray[Any, Any]


class Prepared(NamedTuple):
    """All that a run needs; ``theta (P,)`` is the initial one, ``draws`` is None for a gradient method.

    ``log_every`` is the number of iterations between rows, None for logarithmic marks; ``snapshots`` the number of
    weights to keep; ``until`` the iteration at which a run with a budget of seconds ends in a replay, else None.
    """

    settings: RunSettings
    problem: Problem
    method: Method
    theta: Array
    draws: Draws | None
    source: dict[str, np.random.Generator]
    log_every: int | None
    snapshots: int
    until: int | None = None


def prepare(
    settings: RunSettings, log_every: int | None = None, snapshots: int = 20, like: Prepared | None = None
) -> Prepared:
    """The parts of the run that ``settings`` describe.

    Args:
        like: a run that can be trained together with this one; equal data are shared.

    Raises:
        ConfigError: settings that do not go together.
    """
    try:
        return _prepare(settings, log_every, snapshots, like)
    except ConfigError:
        raise
    except (ValueError, ArithmeticError, MemoryError) as error:
        raise ConfigError(str(error) or type(error).__name__) from error


def prepare_group(settings: Iterable[tuple[RunSettings, int | None, int]]) -> list[Prepared]:
    """The parts of runs that are trained together, each with its ``log_every`` and ``snapshots``.

    Data equal to those of the first are shared.

    Raises:
        ConfigError: settings that do not go together.
    """
    prepared: list[Prepared] = []
    for one, log_every, snapshots in settings:
        prepared.append(prepare(one, log_every, snapshots, prepared[0] if prepared else None))
    return prepared


def _prepare(settings: RunSettings, log_every: int | None, snapshots: int, like: Prepared | None) -> Prepared:
    source = streams(settings.seed, vars(settings.seeds))
    sizes = settings.dataset.sizes()
    network = _sized(settings, sizes)
    split = _data(settings, source)
    _check_targets(settings.loss, split)
    settings.loss.check(network.output, sizes.outputs)
    alike = like is not None and (like.settings.loss, like.settings.metrics) == (
        settings.loss,
        settings.metrics,
    )
    if like is not None and alike and _same(like.problem, split):
        problem = like.problem
        network = problem.network
    else:
        problem = Problem(network, settings.loss, split.train, split.test, split.validation, settings.metrics)
        if len(problem.shape) == 1:
            problem.shape = as_shape(sizes.features)
    size = getattr(settings.optimizer, "batch_size", None)
    if size is not None and size > problem.samples:
        raise ConfigError(
            f"optimizer.batch_size={size}: expected 1 to {problem.samples}, the training samples"
        )
    method = _method(settings)
    theta, draws = _start(settings, network, source)
    return Prepared(settings, problem, method, theta, draws, source, log_every, snapshots)


def _sized(settings: RunSettings, sizes: Sizes) -> Network:
    """The network, after a check that memory is enough for it, the data and the method.

    The estimate is a lower bound: what is refused could not be trained.

    Raises:
        ConfigError: not enough memory; it names the setting with the largest number.
    """
    part = "dataset"
    try:
        samples = sizes.samples + sizes.validation + sizes.test
        features = prod(as_shape(sizes.features))
        if min(samples, features, sizes.outputs) < 1:
            raise ConfigError(
                f"dataset={settings.dataset.name}: {samples} samples of {features} features and {sizes.outputs} "
                "outputs; expected one of each or more"
            )
        # Points are drawn in float64 and then converted; targets have a row for each output.
        itemsize = np.dtype(settings.dtype).itemsize
        ask(samples, 8 * features + itemsize * (2 * features + 3 * sizes.outputs), "samples")
        part = "architecture"
        network = settings.architecture.network(
            sizes.features, sizes.outputs, settings.dtype, settings.accumulate
        )
        # Layers such as batch normalisation keep the whole batch.
        if network.couples:
            ask(sizes.samples, itemsize * network.scratch, "samples in hidden layers")
        part = "optimizer"
        parameters, room = network.layout.size, settings.budget.updates(1)
        ask(settings.optimizer.thetas(parameters, room), itemsize * parameters, "copies of the weights")
        return network
    except TooLarge as error:
        setting = _largest(getattr(settings, part), part)
        if part == "optimizer" and "." not in setting:
            # None of the method's settings is a large number, so the network is too large.
            setting = f"{_largest(settings.architecture, 'architecture')} with {setting}"
        raise ConfigError(f"{setting}: {error}") from error


def _largest(part: Any, name: str) -> str:
    """The setting of a part that has the largest number, with its value."""
    found: list[tuple[float, str]] = [(-inf, f"{name}={part.name}")]

    def look(value: Any, path: str) -> None:
        if isinstance(value, Part):
            for f in settings_of(type(value)):
                look(getattr(value, f.name), f"{path}.{f.name}")
        elif isinstance(value, list) and any(isinstance(item, Part) for item in value):
            for at, item in enumerate(value):
                look(item, f"{path}[{at}]")
        else:
            numbers = [n for n in (value if isinstance(value, list) else [value]) if type(n) is int]
            if numbers:
                found.append((max(numbers), f"{path}={shown(value)}"))

    look(part, name)
    return max(found, key=lambda one: one[0])[1]


def _same(problem: Problem, split: Split) -> bool:
    """Whether a problem's data are these."""
    pairs = (problem.train, split.train), (problem.test, split.test), (problem.validation, split.validation)
    for own, other in pairs:
        if own is other:
            continue
        if own is None or other is None:
            return False
        if not all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(own, other, strict=True)):
            return False
    return True


def _data(settings: RunSettings, source: dict[str, np.random.Generator]) -> Split:
    dataset = settings.dataset
    split = load(dataset, source, settings.dtype)
    if settings.streams == "notebook" and isinstance(dataset, Generated):
        return split._replace(train=notebook_data(dataset, settings.seeds.dataset or 0, settings.dtype))
    return split


def _check_targets(loss: Loss, split: Split) -> None:
    for data in split:
        if data is None or not loss.probabilities or np.issubdtype(data.y.dtype, np.integer):
            continue
        least, most = data.y.min(), data.y.max()
        if least < 0 or most > 1:
            raise ConfigError(
                f"loss={loss.name}: the dataset's targets are numbers, {least:.4g} to {most:.4g}; expected "
                f"classes (for a table: dataset.task=classes) or numbers 0 to 1; loss=squared_error takes any numbers"
            )


def _method(settings: RunSettings) -> Method:
    method = settings.optimizer
    method.check()
    if isinstance(method, SearchMethod) and method.score_start is None:
        return replace(method, score_start=settings.streams != "notebook")
    return method


def _start(
    settings: RunSettings, network: Network, source: dict[str, np.random.Generator]
) -> tuple[Array, Draws | None]:
    architecture, searches = settings.architecture, not settings.optimizer.needs_gradient
    if settings.streams == "notebook":
        theta, draws = notebook_start(
            settings.seed, architecture, network, settings.optimizer, settings.budget.iterations
        )
        return theta, draws if searches else None
    theta = architecture.initial(network, source["init"])
    return theta, draws_from(source["method"], network.layout.trained, network.dtype) if searches else None
