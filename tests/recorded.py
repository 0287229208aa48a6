"""Small runs for the tests of the record, and a program that records one in a process of its own."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field
from typing import Any

from nnexp.training.session import Session, prepare


@dataclass
class _Seeds:
    dataset: int | None = None
    split: int | None = None
    init: int | None = None
    batches: int | None = None
    method: int | None = None


@dataclass
class _Architecture:
    name: str = "mlp"
    hidden: list[int] = field(default_factory=lambda: [3])
    activation: str = "relu"
    output: str = "softmax"
    init_scale: float = 0.01
    weights: list[Any] | None = None
    biases: list[Any] | None = None


@dataclass
class _Dataset:
    name: str = "spiral"
    samples: int = 20
    classes: int = 3
    test_samples: int = 10
    inputs: list[Any] | None = None
    targets: list[Any] | None = None


@dataclass
class _Perturb:
    name: str = "perturb"
    scale: float = 0.05


@dataclass
class _Sgd:
    name: str = "sgd"
    learning_rate: float = 1.0


@dataclass
class _Loss:
    name: str = "cross_entropy"
    clip: float | None = None


@dataclass
class _Budget:
    iterations: int | None = 200
    evaluations: int | None = None
    seconds: float | None = None


@dataclass
class _Tracking:
    uri: str | None = None
    experiment: str = "nnexp"
    log_every: int | None = None
    snapshots: int = 5
    points: int | None = None
    flush_seconds: float = 2.0
    figures: bool | str = False
    model: bool | str = False


@dataclass
class Settings:
    """What a run's config holds, spelled out so that these tests need no Hydra."""

    seed: int = 0
    dtype: str = "float32"
    seeds: _Seeds = field(default_factory=_Seeds)
    streams: str = "independent"
    accumulate: str | None = None
    architecture: _Architecture = field(default_factory=_Architecture)
    dataset: _Dataset = field(default_factory=_Dataset)
    optimizer: Any = field(default_factory=_Perturb)
    loss: _Loss = field(default_factory=_Loss)
    budget: _Budget = field(default_factory=_Budget)
    tracking: _Tracking = field(default_factory=_Tracking)


def settings(optimizer: str = "perturb", **changes: Any) -> Settings:
    """Settings with dotted names changed, dots written as two underscores."""
    made = Settings(optimizer=_Sgd() if optimizer == "sgd" else _Perturb(optimizer))
    for name, value in changes.items():
        *path, last = name.split("__")
        place: Any = made
        for part in path:
            place = getattr(place, part)
        setattr(place, last, value)
    return made


def session(config: Any) -> Session:
    """A session of these settings."""
    return Session(prepare(config))


def main(uri: str) -> None:
    """Record an endless run, saying when rows are out; SIGTERM stops it as Ctrl-C does."""
    from nnexp.tracking import recorder
    from nnexp.tracking.mlflow_store import Store

    def stop(*_: Any) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    config = settings(budget__iterations=None, budget__seconds=60.0, tracking__flush_seconds=0.3)
    store = Store.open(uri, "nnexp")
    print("opened", flush=True)
    recorder.record_session(
        store, session(config), config, "endless", {}, on_rows=lambda rows: print(len(rows.loss), flush=True)
    )


if __name__ == "__main__":
    main(sys.argv[1])
