"""From a config to the parts of a run: problem, method, start and sources of chance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnexp.config.schema import Config, ConfigError
from nnexp.data.datasets import Data, generated, notebook_data, points
from nnexp.data.streams import streams
from nnexp.losses.losses import make_loss
from nnexp.network.layout import Layout
from nnexp.network.network import Network
from nnexp.optim import SGD, GeneratorNoise, LegacyNoise, Method, Noise, RandomPerturbation, RandomSearch
from nnexp.training.problem import Problem
from nnexp.training.rows import Budget

Array = np.ndarray[Any, Any]


class Prepared(NamedTuple):
    """All that a run needs; ``theta (P,)`` is its start, ``noise`` None for a gradient method."""

    config: Config
    problem: Problem
    method: Method
    theta: Array
    noise: Noise | None
    batches: np.random.Generator
    budget: Budget


def prepare(config: Config) -> Prepared:
    """The parts of the run that ``config`` describes.

    Raises:
        ConfigError: settings that do not go together.
    """
    try:
        return _prepare(config)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _prepare(config: Config) -> Prepared:
    seeds = vars(config.seeds)
    source = streams(config.seed, seeds)
    train, test = _data(config, source)
    network = _network(config, train)
    problem = Problem(
        network, make_loss(config.loss.name, config.architecture.output, _clip(config)), train, test
    )
    method = _method(config)
    theta, noise = _start(config, network, source)
    if not method.needs_gradient:
        noise = noise or GeneratorNoise([source["method"]], network.layout.size, network.dtype)
    size = method.batch_size
    if size is not None and size > problem.samples:
        raise ConfigError(
            f"optimizer.batch_size={size}: expected 1 to {problem.samples}, the training samples"
        )
    budget = Budget(config.budget.iterations, config.budget.evaluations, config.budget.seconds)
    return Prepared(config, problem, method, theta, noise, source["batches"], budget)


def _clip(config: Config) -> float | None:
    return getattr(config.loss, "clip", None)


def _data(config: Config, source: dict[str, np.random.Generator]) -> tuple[Data, Data | None]:
    dataset, dtype = config.dataset, config.dtype
    if dataset.name == "points":
        if dataset.inputs is None or dataset.targets is None:
            raise ConfigError("dataset.inputs, dataset.targets: the points dataset needs both")
        return points(dataset.inputs, dataset.targets, dtype), None
    size = (dataset.samples, dataset.classes)
    if config.streams == "notebook":
        train = notebook_data(dataset.name, *size, config.seeds.dataset or 0, dtype)
    else:
        train = generated(dataset.name, *size, source["dataset"], dtype)
    if dataset.test_samples == 0:
        return train, None
    return train, generated(dataset.name, dataset.test_samples, dataset.classes, source["split"], dtype)


def _network(config: Config, train: Data) -> Network:
    architecture = config.architecture
    outputs = config.dataset.classes if config.dataset.name != "points" else train.y.shape[0]
    return Network(
        train.x.shape[-2],
        architecture.hidden,
        outputs,
        architecture.activation,
        architecture.output,
        config.dtype,
        config.accumulate,
    )


def _method(config: Config) -> Method:
    options = {key: value for key, value in vars(config.optimizer).items() if key != "name"}
    if options.get("score_start", False) is None:
        options["score_start"] = config.streams != "notebook"
    kinds: dict[str, Any] = {"random": RandomSearch, "perturb": RandomPerturbation, "sgd": SGD}
    return kinds[config.optimizer.name](**options)


def _given(config: Config, layout: Layout, theta: Array) -> Array:
    """Theta with the arrays that the config gives in place of drawn ones."""
    named = {name: np.array(view) for name, view in layout.named(theta).items()}
    for kind in ("weights", "biases"):
        layers = getattr(config.architecture, kind)
        if layers is None:
            continue
        if len(layers) != len(layout.blocks):
            raise ConfigError(
                f"architecture.{kind}: {len(layers)} layers given, the network has {len(layout.blocks)}"
            )
        for index, values in enumerate(layers):
            array = np.asarray(values, np.float64)
            if array.shape != named[f"dense_{index}/{kind}"].shape:
                shape = named[f"dense_{index}/{kind}"].shape
                raise ConfigError(f"architecture.{kind}[{index}]: shape {array.shape}, expected {shape}")
            named[f"dense_{index}/{kind}"] = array
    return layout.join(named, theta.dtype)


def _start(
    config: Config, network: Network, source: dict[str, np.random.Generator]
) -> tuple[Array, Noise | None]:
    if config.streams == "notebook":
        return _notebook_start(config, network)
    theta = network.initial(source["init"], config.architecture.init_scale)
    return _given(config, network.layout, theta), None


def _notebook_start(config: Config, network: Network) -> tuple[Array, Noise | None]:
    """Start and noise in the order of the notebook's draws, all from one legacy generator.

    A layer of (2, 3); the networks of the forward passes without and with a loss; random search's network
    and candidates; perturbation's network and steps.
    """
    state = np.random.RandomState(config.seed)
    layout, scale = network.layout, network.dtype.type(config.architecture.init_scale)

    def initial() -> Array:
        named = {
            name: scale * state.randn(*view.shape).astype(np.float32)
            if name.endswith("weights")
            else np.zeros(view.shape)
            for name, view in layout.named(np.empty(layout.size)).items()
        }
        return layout.join(named, network.dtype)

    state.randn(3, 2)
    for _ in range(2):
        initial()
    theta = initial()
    if config.optimizer.name == "perturb":
        if config.budget.iterations is None:
            raise ConfigError(
                "budget.iterations=null: streams=notebook needs a number, for perturbation's draws "
                "follow random search's"
            )
        for _ in range(config.budget.iterations):
            state.randn(layout.size)
        theta = initial()
    theta = _given(config, layout, theta)
    return theta, LegacyNoise([state], layout.order, network.dtype)
