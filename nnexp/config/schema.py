"""The whole config: what a run depends on, where it is recorded, and how its sweep is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nnexp.config.settings import ConfigError, NotEmpty, Range, build, plain, setting
from nnexp.training.run_settings import RunSettings, check_measure

__all__ = ["Config", "ConfigError", "Sweep", "Tracking", "digest", "from_mapping"]

Auto = Literal["auto"]

AUTO = "auto"


@dataclass(frozen=True)
class Tracking:
    """Where runs are recorded, and how much."""

    uri: str | None = setting(
        None, "MLflow store; null: MLFLOW_TRACKING_URI, else runs/mlflow.db here", NotEmpty()
    )
    experiment: str = setting("nnexp", "MLflow's experiment", NotEmpty(500))
    log_every: int | None = setting(
        None, "iterations between two recorded rows; null: log-spaced, 30 a decade", Range(1)
    )
    snapshots: int = setting(20, "weight snapshots, log-spaced, with the first and the last", Range(2))
    points: int | Auto | None = setting(
        "auto",
        "rows sent to MLflow for a decade of iterations; auto: 10, above 24 runs 2; history.parquet has all",
        Range(1),
    )
    flush_seconds: float = setting(
        5.0, "seconds of training between two uploads of a run's rows", Range(0, above=True)
    )
    checkpoint_seconds: float | None = setting(
        30.0, "seconds between two checkpoints of runs in training; 0 or null: none", Range(0)
    )
    keep_state: bool = setting(
        False, "record state.npz, from which a longer budget continues; up to some hundred thetas a run"
    )
    figures: bool | Auto = setting("auto", "record figures and boundary images; auto: up to 24 runs")
    model: bool | Auto = setting("auto", "record the network as an MLflow model; auto: up to 24 runs")


@dataclass(frozen=True)
class Sweep:
    """How the runs of a sweep are chosen, resumed and repeated."""

    resume: bool | str = setting(
        False,
        "true: continue the latest sweep of the same settings; latest: the experiment's latest; an id: that sweep; "
        "auto: as true, or a new sweep where there is none",
        NotEmpty(),
    )
    extend: str | None = setting(
        None,
        "latest or a sweep's id: add this command's jobs to that sweep, which has ended, and train what is missing",
        NotEmpty(),
    )
    retries: int = setting(0, "further tries of a job that failed", Range(0))
    fail_fast: bool = setting(False, "end the sweep at its first failure")
    stale_code: Literal["rerun", "keep"] = setting(
        "rerun", "what resume does with runs whose code has changed since"
    )
    grid: list[dict[str, Any]] | None = setting(None, "blocks of axes in Hydra's sweep syntax")
    trials: int | None = setting(
        None, "trials in which Optuna searches intervals, for each method; null: none", Range(1)
    )
    measure: str = setting(
        AUTO,
        "what trials are compared by, as budget.measure; auto: val_loss with validation data, else loss; also what "
        "sweep.until=decided tests; auto: test_loss before these",
    )
    at_once: int = setting(
        8, "trials of a method that run at the same time, each chosen before the others' results", Range(1)
    )
    prune: bool = setting(True, "skip the remaining jobs of trials that do worse than the median")
    sampler_seed: int = setting(0, "seed of Optuna's sampler", Range(0, 2**32 - 1))
    until: Literal["decided"] | None = setting(
        None,
        "decided: add seeds in rounds of five until every two methods are distinguished; null: the given seeds",
    )
    most_seeds: int = setting(40, "seeds at which sweep.until=decided ends", Range(10, 10_000))
    margin: float | None = setting(
        None,
        "difference within which methods count as equal, for sweep.until=decided; null: equality is never claimed, "
        "and equal methods get all seeds",
        Range(0, above=True),
    )
    worst: float | None = setting(
        None,
        "value of diverged and failed runs, for sweep.until=decided; null: that of untrained networks",
    )


@dataclass(frozen=True)
class Config(RunSettings):
    """A run with its record and its sweep.

    It pickles as plain values: a process that takes it imports the modules of its parts anew.
    """

    tracking: Tracking = Tracking()
    sweep: Sweep = Sweep()
    resume: str | None = setting(
        None,
        "a run outside sweeps to continue: its id, or latest for the latest of the same settings",
        NotEmpty(),
    )

    def __post_init__(self) -> None:
        """Check settings that depend on each other.

        Raises:
            ConfigError: as for a run, and a sweep.measure that no run measures.
        """
        super().__post_init__()
        check_measure("sweep.measure", self.sweep.measure, self.metrics)

    def __reduce__(self) -> tuple[Any, ...]:
        return from_mapping, (plain(self),)


def from_mapping(values: Mapping[str, Any], modules: Sequence[str] | None = None) -> Config:
    """The config that plain nested ``values`` describe; what is left out has its default.

    Args:
        modules: top-level modules outside nnexp that parts may come from; None for any. A recorded config is read
            with none, unless the user names them: reading a file must not run code.

    Raises:
        ConfigError: an unknown setting, a wrong type, or a value that is not allowed.
    """
    config: Config = build(Config, values, "", modules)
    return config


def digest(config: Config) -> str:
    """A hash of sixteen hexadecimal digits, equal for configs with equal training and measurements.

    Tracking, sweep and resume are left out.
    """
    values = plain(config)
    del values["tracking"], values["sweep"], values["resume"]
    if not config.metrics:
        # Older records have no metrics in their hash.
        del values["metrics"]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
