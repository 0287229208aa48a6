"""A group: runs of like shape, trained together, each equal bit for bit to the run trained alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from time import perf_counter

import numpy as np

from nnexp.config import Config, Sgd
from nnexp.session import History, Prepared, Session, join

GROUP_BYTES = 1 << 20
"""Activations of as many runs as fit in this are computed together: measured on a core with 1 MB of L2."""

MOST = 64
"""The most runs of a group, however small: beyond it a step's fixed cost is shared enough."""

HEARTBEAT = 0.25
"""Seconds after which an empty list is yielded if nothing else is, so that callers get a word in."""


def key(config: Config) -> Hashable:
    """What configs must share to be trained together; every other number may differ from run to run.

    Method, array shapes, dtype, rounding, order of chance, loss, activations, marks and batch size. A run
    with a budget of seconds trains alone, for its clock cannot be shared: its key equals no other.
    """
    if config.budget.seconds is not None:
        return object()
    method, architecture = config.optimizer, config.architecture
    # Without momentum a step has no memory: other arithmetic than with a momentum of zero in a group.
    kind: tuple[Hashable, ...] = (method.name,)
    if isinstance(method, Sgd):
        kind = (method.name, method.batch_size, method.momentum > 0)
    return (
        *(kind, _shapes(config), config.dtype, config.accumulate, config.streams),
        *(config.loss.name, getattr(config.loss, "clip", None)),
        *(architecture.output, architecture.activation, config.tracking.log_every),
    )


def split(configs: Sequence[Config], most: int | None = None) -> list[list[int]]:
    """Positions of the runs of each group, in order of first appearance.

    Args:
        most: runs of a group; None for as many as keep the working set in cache.

    Raises:
        ValueError: ``most`` below 1.
    """
    if most is not None and most < 1:
        raise ValueError(f"most={most}: expected 1 or more")
    alike: dict[Hashable, list[int]] = {}
    for position, config in enumerate(configs):
        alike.setdefault(key(config), []).append(position)
    groups = []
    for positions in alike.values():
        size = most or chunk(configs[positions[0]])
        groups += [positions[at : at + size] for at in range(0, len(positions), size)]
    return sorted(groups)


def chunk(config: Config) -> int:
    """How many runs like this one keep the working set of a step within :data:`GROUP_BYTES`."""
    (features, *neurons), samples, _ = _shapes(config)
    samples = getattr(config.optimizer, "batch_size", None) or samples
    # Activations with their row of ones, their gradients and scratch, and what the loss needs of its own.
    rows = features + 1 + 3 * sum(neurons[:-1]) + 3 * neurons[-1]
    return max(1, min(MOST, GROUP_BYTES // (rows * samples * np.dtype(config.dtype).itemsize)))


def _shapes(config: Config) -> tuple[tuple[int, ...], int, int]:
    """Sizes of the layers from the input on, training samples and test samples."""
    data, hidden = config.dataset, config.architecture.hidden
    if data.name == "points":
        inputs, targets = data.inputs or [[]], data.targets or [[]]
        return (len(inputs[0]), *hidden, len(targets[0])), len(inputs), 0
    counts = (data.samples * data.classes, data.test_samples * data.classes)
    return (2, *hidden, data.classes), *counts


class Group:
    """Runs trained together; each can be read through its session while they go on.

    The clock is shared: a run's ``seconds`` are its share of the group's, the time that passes divided by
    the runs still going.

    Args:
        prepared: runs whose configs have one :func:`key`.
    """

    def __init__(self, prepared: Sequence[Prepared]) -> None:
        self.sessions = [Session(one) for one in prepared]

    def run(self, flush_seconds: float = 2.0) -> Iterator[list[tuple[int, History]]]:
        """Train all to their ends, yielding new rows by the run's position every ``flush_seconds``.

        An empty list is a sign of life, at most every :data:`HEARTBEAT` seconds.
        """
        flushed, waiting = perf_counter(), []
        for position, session in enumerate(self.sessions):
            for rows in session.run(HEARTBEAT):
                waiting.append((position, rows))
                if perf_counter() - flushed < flush_seconds:
                    yield []
                    continue
                yield _merged(waiting)
                flushed, waiting = perf_counter(), []
        yield _merged(waiting)


def _merged(parts: list[tuple[int, History]]) -> list[tuple[int, History]]:
    """One history a run."""
    own: dict[int, list[History]] = {}
    for position, rows in parts:
        own.setdefault(position, []).append(rows)
    merged = [(position, join(rows)) for position, rows in own.items()]
    return [(position, rows) for position, rows in merged if len(rows.iteration)]
