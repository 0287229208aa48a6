"""Small runs for the tests of the record, recorded without a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nnexp.config.schema import Config, from_mapping
from nnexp.tracking.environment import environment, environment_tags
from nnexp.tracking.outcome import outcome, per_decade
from nnexp.tracking.plain import flatten
from nnexp.tracking.protocol import milliseconds
from nnexp.tracking.recorder import RunResult, Thinning, last_tags, publish, result, start_tags
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


def record_run(
    store: Any,
    group: Group,
    config: Config,
    name: str,
    tags: Mapping[str, str],
    parent: str | None = None,
    overrides: Sequence[str] = (),
    on_rows: Callable[[Any], None] | None = None,
) -> RunResult:
    """Train a group of one run and record its outcome in a store at once, without journal and processes.

    An error of ``on_rows`` ends training, and is raised again when the run is recorded.
    """
    trained, machine, started, error = group.runs[0], environment(), milliseconds(), None
    try:
        for parts in group.train(config.tracking.flush_seconds):
            if parts and on_rows is not None:
                on_rows(parts[0][1])
    except BaseException as caught:
        error = caught
        trained.stop()
    made = outcome(trained, config, machine, started, milliseconds(), error=error)
    own = environment_tags(machine) | start_tags(config, overrides) | dict(tags)
    run = store.start(name, flatten(config), own, parent, started)
    publish(run, made, Thinning(per_decade(config.tracking.points, 1)), last_tags(made, config))
    if error is not None:
        raise error
    return result(run.run_id, store.run_url(run.run_id), made)
