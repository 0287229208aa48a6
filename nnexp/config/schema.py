"""The typed config: one dataclass for each kind of option of a config group."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nnexp.config.settings import ConfigError, build, least, positive, setting

__all__ = [
    "Architecture",
    "Budget",
    "Config",
    "ConfigError",
    "CrossEntropy",
    "Generated",
    "Perturb",
    "Points",
    "Random",
    "Seeds",
    "Sgd",
    "Squared",
    "Sweep",
    "Tracking",
    "check",
    "digest",
    "from_mapping",
]

Activation = Literal["relu", "tanh", "sigmoid", "linear"]
Auto = Literal["auto"]
Output = Literal["softmax", "relu", "tanh", "sigmoid", "linear"]


@dataclass
class Seeds:
    """Seeds of single sources of chance; null derives one from ``seed``."""

    dataset: int | None = least(0, None, "points of the training data")
    split: int | None = least(0, None, "points of the test data")
    init: int | None = least(0, None, "first weights")
    batches: int | None = least(0, None, "order of mini-batches")
    method: int | None = least(0, None, "draws of random and perturb")


@dataclass
class Architecture:
    """A dense network; its inputs and outputs follow from the dataset."""

    name: Literal["mlp", "wide", "single_layer"] = "mlp"
    hidden: list[int] = setting(
        [3], "neurons of each hidden layer", "each 1 or more", lambda v: all(n >= 1 for n in v)
    )
    activation: Activation = setting("relu", "of hidden layers")
    output: Output = setting("softmax", "activation of the last layer")
    init_scale: float = least(0, 0.01, "standard deviation of the first weights")
    weights: list[Any] | None = setting(None, "given first weights, (neurons, inputs) a layer; null draws")
    biases: list[Any] | None = setting(None, "given first biases, (neurons) a layer; null for zeros")


@dataclass
class Generated:
    """Points of nnfs' generators, in two dimensions."""

    name: Literal["spiral", "vertical"] = "spiral"
    samples: int = least(1, 100, "training points a class")
    # nnfs keeps labels in a byte.
    classes: int = setting(3, "classes", "2 to 256", lambda v: 2 <= v <= 256)
    test_samples: int = least(0, 100, "test points a class, 0 for none")


@dataclass
class Points:
    """Given points with numbers as targets."""

    name: Literal["points"] = "points"
    inputs: list[Any] | None = setting(None, "a list of features for each sample")
    targets: list[Any] | None = setting(None, "a list of outputs for each sample")


@dataclass
class Random:
    """Random search: fresh draws, the best kept."""

    name: Literal["random"] = "random"
    scale: float = positive(0.05, "standard deviation of the parameters")
    score_start: bool | None = setting(
        None, "false takes the first candidate whatever its loss; null: false for streams=notebook, else true"
    )
    block: int = least(1, 256, "candidates computed at once; no result depends on it")


@dataclass
class Perturb:
    """Hill climbing: perturb, keep what improves, else revert."""

    name: Literal["perturb"] = "perturb"
    scale: float = positive(0.05, "standard deviation of a step")
    score_start: bool | None = setting(
        None, "false takes the first candidate whatever its loss; null: false for streams=notebook, else true"
    )
    block: int = least(1, 64, "most candidates computed at once; evaluations depend on it")


@dataclass
class Sgd:
    """Gradient descent on full batches or mini-batches."""

    name: Literal["sgd"] = "sgd"
    learning_rate: float = positive(1.0, "step size")
    momentum: float = setting(0.0, "share of the last step kept", "0 or more, below 1", lambda v: 0 <= v < 1)
    batch_size: int | None = least(1, None, "samples of a mini-batch; null for all")


@dataclass
class CrossEntropy:
    """Mean negative log probability of the true class."""

    name: Literal["cross_entropy"] = "cross_entropy"
    clip: float | None = setting(
        None, "clips probabilities to [clip, 1 - clip]", "above 0, below 0.5", lambda v: 0 < v < 0.5
    )


@dataclass
class Squared:
    """Squared error of outputs and targets, or the square of the outputs' sum."""

    name: Literal["squared_error", "squared_sum"] = "squared_error"


@dataclass
class Budget:
    """When a run ends: whichever limit comes first, at least one of them given."""

    iterations: int | None = least(1, 10_000, "candidates considered, or updates")
    evaluations: int | None = least(1, None, "forward passes; a backward pass counts as two")
    seconds: float | None = positive(None, "time of training")


@dataclass
class Tracking:
    """Where runs are recorded, and how much."""

    uri: str | None = setting(None, "MLflow store; null: MLFLOW_TRACKING_URI, else runs/mlflow.db here")
    experiment: str = setting("nnexp", "MLflow's experiment", "that is not empty", lambda v: bool(v.strip()))
    log_every: int | None = least(1, None, "iterations from row to row; null: 30 a decade, log-spaced")
    snapshots: int = least(2, 20, "weight snapshots, log-spaced, with the first and the last")
    points: int | Auto | None = setting(
        "auto",
        "rows a decade of iterations sent to MLflow; auto: 10, above 24 runs 5; history.parquet has all",
        "1 or more",
        lambda v: v in (None, "auto") or v >= 1,
    )
    flush_seconds: float = positive(5.0, "of training, from one sending of rows of a run to the next")
    figures: bool | Auto = setting("auto", "record figures and boundary images; auto: up to 24 runs")
    model: bool | Auto = setting("auto", "record the network as an MLflow model; auto: up to 24 runs")


@dataclass
class Sweep:
    """How the runs of a sweep are chosen and kept going."""

    resume: bool | str = setting(
        False,
        "true continues the latest sweep, a sweep's id that one",
        "",
        lambda v: not isinstance(v, str) or bool(v.strip()),
    )
    retries: int = least(0, 0, "further tries of a job that failed")
    fail_fast: bool = setting(False, "end the sweep at its first failure")
    stale_code: Literal["rerun", "keep"] = setting("rerun", "what resume does with runs of changed code")
    grid: list[dict[str, Any]] | None = setting(None, "blocks of axes in Hydra's sweep syntax")
    trials: int | None = least(
        1, None, "trials in which Optuna searches intervals, for each method; null: none"
    )
    at_once: int = least(1, 8, "trials of a method chosen before their results are known")
    prune: bool = setting(True, "leave out the later jobs of trials that do worse than the median")
    sampler_seed: int = setting(0, "of Optuna's choices", "0 to 4294967295", lambda v: 0 <= v < 2**32)


@dataclass
class Config:
    """Everything that a run depends on."""

    seed: int = setting(0, "seed of all chance", "0 to 4294967295", lambda v: 0 <= v < 2**32)
    dtype: Literal["float32", "float64"] = setting("float32", "of all arrays")
    streams: Literal["independent", "notebook"] = setting(
        "independent", "sources of chance: one a use, or the notebook's own order of draws"
    )
    accumulate: Literal["float64"] | None = setting(None, "matrix products in float64, rounded to dtype")
    seeds: Seeds = field(default_factory=Seeds)
    architecture: Architecture = field(default_factory=Architecture)
    dataset: Generated | Points = field(default_factory=Generated)
    optimizer: Random | Perturb | Sgd = field(default_factory=Sgd)
    loss: CrossEntropy | Squared = field(default_factory=CrossEntropy)
    budget: Budget = field(default_factory=Budget)
    tracking: Tracking = field(default_factory=Tracking)
    sweep: Sweep = field(default_factory=Sweep)


def from_mapping(values: Mapping[str, Any]) -> Config:
    """The config that plain nested ``values`` describe; every group must be there, settings have defaults.

    The group ``sweep`` may be missing: how a sweep is kept going is no part of the config that a run records.

    Raises:
        ConfigError: an unknown setting, a wrong type, or a value that is not allowed.
    """
    config: Config = build(Config, {"sweep": {}, **values})
    _check_together(config)
    return config


def check(config: Config) -> None:
    """Check every value and type, and the settings that depend on one another.

    Raises:
        ConfigError: the first setting that is not allowed.
    """
    _check_together(build(Config, asdict(config)))


def _check_together(config: Config) -> None:
    hidden, kind = config.architecture.hidden, config.architecture.name
    if kind == "single_layer" and hidden:
        raise ConfigError(f"architecture.hidden={hidden}: expected [] for architecture=single_layer")
    if kind != "single_layer" and not hidden:
        raise ConfigError(
            f"architecture.hidden=[]: expected one or more layers, each 1 or more, for architecture={kind}"
        )
    if all(limit is None for limit in vars(config.budget).values()):
        raise ConfigError(
            "budget.iterations=null: expected at least one of budget.iterations, budget.evaluations, "
            "budget.seconds"
        )


def digest(config: Config) -> str:
    """Sixteen hexadecimal digits that two configs share if they train alike: tracking and sweep are left out."""
    values = asdict(config)
    del values["tracking"], values["sweep"]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
