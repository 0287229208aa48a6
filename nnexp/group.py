"""A group: runs of like shape, trained together, each equal bit for bit to the run trained alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.activations import Call
from nnexp.config import Config, Sgd
from nnexp.datasets import Data, points
from nnexp.descent import Descent
from nnexp.optim import SGD
from nnexp.prepare import Prepared
from nnexp.problem import Problem
from nnexp.record import PENDING_BYTES, History, Record
from nnexp.rows import HEARTBEAT, Standing
from nnexp.session import Session
from nnexp.targets import target
from nnexp.train import gradient_steps

Array = np.ndarray[Any, Any]

GROUP_BYTES = 10 << 20
"""As many runs are computed together as have activations of this size: measured with 1 MB of L2, 32 MB of L3."""

MOST = 64
"""The most runs of a group, however small: beyond it a step's fixed cost is shared enough."""


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
        _classes_given(config),
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
    # Inputs with their row of ones, activations, their gradients, and what the loss needs of its own.
    rows = features + 1 + 2 * sum(neurons[:-1]) + 3 * neurons[-1]
    return max(1, min(MOST, GROUP_BYTES // (rows * samples * np.dtype(config.dtype).itemsize)))


def _shapes(config: Config) -> tuple[tuple[int, ...], int, int]:
    """Sizes of the layers from the input on, training samples and test samples."""
    data, hidden = config.dataset, config.architecture.hidden
    if data.name == "points":
        inputs, targets = data.inputs or [[]], data.targets or [[]]
        return (len(inputs[0]), *hidden, len(targets[0])), len(inputs), 0
    counts = (data.samples * data.classes, data.test_samples * data.classes)
    return (2, *hidden, data.classes), *counts


def _classes_given(config: Config) -> bool:
    """Whether given targets are one-hot, and so count as classes."""
    data = config.dataset
    if data.name != "points" or data.targets is None or data.inputs is None:
        return False
    train = points(data.inputs, data.targets)
    return target(train.y, len(train.y), config.dtype).labels is not None


class Member(Record):
    """One run of a group, read like a :class:`nnexp.session.Session`."""

    def __init__(self, prepared: Prepared, position: int, descent: Descent, collect: Call) -> None:
        super().__init__(prepared)
        self._position, self._descent, self._collect = position, descent, collect

    def stop(self) -> History:
        """Rows not yielded yet, with one for where training stands; for use after an interruption."""
        self._collect()
        return self.stopped(self._standing)

    @property
    def _standing(self) -> Standing:
        return self._descent.of(self._position)

    @property
    def final_theta(self) -> Array:
        """The answer ``(P,)`` where training stands."""
        theta: Array = self._standing.theta[0]
        return theta

    @property
    def improvements(self) -> list[tuple[int, float]]:
        """None: gradient runs have no candidates."""
        return []

    @property
    def diverged(self) -> bool:
        """Whether training ended early, because a loss or a weight was not finite."""
        return bool(self._descent.diverged[self._position])

    @property
    def status(self) -> str:
        """``diverged`` if training did, or if the answer so far has no finite loss, else ``finished``."""
        return "diverged" if self.diverged or self.overflowed else "finished"

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return int(self._standing.iteration[0])

    @property
    def evaluations(self) -> int:
        """Evaluations spent."""
        return int(self._standing.evaluations[0])

    @property
    def seconds(self) -> float:
        """The run's share of the group's seconds of training."""
        return float(self._standing.seconds[0])


class Group:
    """Runs trained together; each can be read through its session while they go on.

    Gradient runs are one computation: the clock is shared, and each moment's time is divided by the runs then
    going, so that ``seconds`` is what a run cost. Gradient-free runs are trained one after another: what they
    spend is the arithmetic of their candidates, which are computed in blocks already.

    Args:
        prepared: one or more runs whose configs have one :func:`key`.

    Attributes:
        sessions: one for each run, in order.
    """

    def __init__(self, prepared: Sequence[Prepared]) -> None:
        self._descent = None
        self.sessions: list[Session | Member]
        if prepared[0].method.needs_gradient and len(prepared) > 1:
            self._descent = _descent(prepared)
            self.sessions = [Member(one, at, self._descent, self._collect) for at, one in enumerate(prepared)]
        else:
            self.sessions = [Session(one) for one in prepared]

    def run(self, flush_seconds: float = 2.0) -> Iterator[list[tuple[int, History]]]:
        """Train all to their ends, yielding new rows by the run's position every ``flush_seconds``.

        An empty list is a sign of life, at most every :data:`HEARTBEAT` seconds.
        """
        flushed = beaten = perf_counter()
        for _ in self._together() if self._descent else self._in_turn():
            now = perf_counter()
            full = sum(session.waiting for session in self.sessions) > PENDING_BYTES
            if full or now - flushed >= flush_seconds:
                yield self._measured()
                flushed = beaten = perf_counter()
            elif now - beaten >= HEARTBEAT:
                yield []
                beaten = perf_counter()
        yield self._measured()

    def _together(self) -> Iterator[None]:
        """All runs, coming back at every block of rows, and without one as a sign of life."""
        assert self._descent is not None
        while (block := self._descent.advance()) is not None:
            for position, rows in block:
                self.sessions[position].add(rows)
            yield

    def _in_turn(self) -> Iterator[None]:
        """The same, one run after another."""
        for session in self.sessions:
            assert isinstance(session, Session)
            for block in session.training.blocks():
                for _, rows in block:
                    session.add(rows)
                yield

    def _collect(self) -> None:
        """Rows that an interruption kept from being handed out."""
        assert self._descent is not None
        for position, rows in self._descent.rows():
            self.sessions[position].add(rows)

    def _measured(self) -> list[tuple[int, History]]:
        rows = [(position, session.measure()) for position, session in enumerate(self.sessions)]
        return [(position, part) for position, part in rows if len(part.iteration)]


def _descent(prepared: Sequence[Prepared]) -> Descent:
    """The runs as one computation, each with its own data and hyperparameters."""
    first = prepared[0]
    data = [one.problem.train for one in prepared]
    stacked = Data(np.stack([own.x for own in data]), np.stack([own.y for own in data]))
    methods = [one.method for one in prepared]
    assert all(isinstance(method, SGD) for method in methods)
    rates, momenta = ([getattr(method, name) for method in methods] for name in ("learning_rate", "momentum"))
    return Descent(
        Problem(first.problem.network, first.problem.loss, stacked),
        SGD(np.array(rates), np.array(momenta), first.method.batch_size),
        np.stack([one.theta for one in prepared]),
        iterations=np.array([gradient_steps(one.budget) for one in prepared]),
        batches=[one.batches for one in prepared],
        log_every=first.config.tracking.log_every,
    )
