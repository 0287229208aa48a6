"""Small runs for the tests of the record, and a program that records one in a process of its own."""

from __future__ import annotations

import signal
import sys
from typing import Any

from nnexp.config.schema import Config, from_mapping
from nnexp.training import Group, prepare


def settings(optimizer: str = "perturb", **changes: Any) -> Config:
    """The config of a small run with dotted names changed, dots written as two underscores."""
    values: dict[str, Any] = {
        "architecture": {"name": "mlp"},
        "dataset": {"name": "spiral", "samples": 20, "test_samples": 10},
        "optimizer": {"name": optimizer},
        "loss": {"name": "cross_entropy"},
        "budget": {"iterations": 200},
        "tracking": {"snapshots": 5, "points": None, "flush_seconds": 2.0, "figures": False, "model": False},
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        place = values
        for part in path:
            place = place[part]
        place[last] = value
    return from_mapping(values)


def group(config: Config) -> Group:
    """A run with these settings, alone."""
    return Group([prepare(config, config.tracking.log_every, config.tracking.snapshots)])


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
    recorder.record_run(
        store, group(config), config, "endless", {}, on_rows=lambda rows: print(len(rows.loss), flush=True)
    )


if __name__ == "__main__":
    main(sys.argv[1])
