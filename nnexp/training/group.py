"""A group: runs of the same shapes, trained together, each equal bit for bit to the run trained alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from time import perf_counter
from typing import Any

import numpy as np

from nnexp.config.settings import group_key, stack
from nnexp.data.dataset import Data
from nnexp.optim import GradientMethod, SearchMethod
from nnexp.optim.draws import set_source
from nnexp.training.descent import Descent
from nnexp.training.prepare import Prepared, prepare_group
from nnexp.training.problem import Problem
from nnexp.training.record import PENDING_BYTES, History
from nnexp.training.rows import HEARTBEAT, SPAN, Progress
from nnexp.training.run import Computation, Over, Run
from nnexp.training.run_settings import RunSettings
from nnexp.training.search import Search

Array = np.ndarray[Any, Any]
Saved = Mapping[str, Any]

GROUP_BYTES = 10 << 20
"""Largest size of the activations of a group; chosen by measurement with 1 MB of L2 and 32 MB of L3 cache."""

MOST_RUNS = 64
"""The most runs of a group: with more the fixed cost of a step is negligible already."""


def key(settings: RunSettings, log_every: int | None = None) -> Hashable:
    """What runs must have in common to be trained together; every other setting may differ between runs.

    All settings of the parts that are not per run, sizes of the data, dtype, rounding, random streams and marks. A run
    with a budget of seconds trains alone, because its clock cannot be shared, and so does one whose method cannot be
    batched: its key equals no other.
    """
    if settings.budget.seconds is not None or not settings.optimizer.batched:
        return object()
    return (
        *(
            group_key(part)
            for part in (settings.optimizer, settings.architecture, settings.loss, settings.metrics)
        ),
        *(settings.dataset.sizes(), settings.dtype, settings.accumulate, settings.streams, log_every),
    )


def chunk(settings: RunSettings) -> int:
    """The number of runs like this one whose working set of a step is within :data:`GROUP_BYTES`."""
    sizes = settings.dataset.sizes()
    network = settings.architecture.network(sizes.features, sizes.outputs, settings.dtype)
    samples = getattr(settings.optimizer, "batch_size", None) or sizes.samples
    # Inputs with their row of ones, activations, their gradients, and the buffers of the loss. Of hidden layers only
    # a tile of runs is in memory at once.
    rows = prod(network.features) + 1 + 2 * network.scratch + 3 * sizes.outputs
    return max(1, min(MOST_RUNS, GROUP_BYTES // (rows * samples * network.dtype.itemsize)))


def split(settings: Sequence[RunSettings], most: int | None = None) -> list[list[int]]:
    """Positions of the runs of each group, in order of first appearance.

    Args:
        most: runs of a group; None for as many as keep the working set in cache.

    Raises:
        ValueError: ``most`` below 1.
    """
    if most is not None and most < 1:
        raise ValueError(f"most={most}: expected 1 or more")
    alike: dict[Hashable, list[int]] = {}
    for position, one in enumerate(settings):
        alike.setdefault(key(one), []).append(position)
    groups = []
    for positions in alike.values():
        size = most or chunk(settings[positions[0]])
        groups += [positions[at : at + size] for at in range(0, len(positions), size)]
    return sorted(groups)


class Group:
    """Runs trained together; each can be read during training. A run that is trained alone is a group of one.

    Gradient runs are one computation: the clock is shared, and each moment is divided by the number of active
    runs, so that ``seconds`` is the cost of a run. Gradient-free runs are trained one after another: their cost is
    the arithmetic of their candidates, which are computed in blocks already.

    Args:
        prepared: one or more runs whose settings have the same :func:`key`.
        saved: for each run its :meth:`nnexp.training.run.Run.saved`, to continue from, or None.
        span: rows within this number of iterations are delivered together.
        keep_ends: whether runs keep their state when their budgets are spent.

    Attributes:
        runs: in order.
    """

    def __init__(
        self,
        prepared: Sequence[Prepared],
        saved: Sequence[Saved | None] = (),
        span: int = SPAN,
        keep_ends: bool = False,
    ) -> None:
        self._keep_ends = keep_ends
        before = saved or [None] * len(prepared)
        self._computations: list[tuple[Computation, list[int]]] = []
        for runs in _together(prepared, before):
            own, states = [prepared[at] for at in runs], [one for at in runs if (one := before[at])]
            self._computations.append((_computation(own, states, span), runs))
        by_position = {
            at: Run(prepared[at], computation, position, self._collect)
            for computation, runs in self._computations
            for position, at in enumerate(runs)
        }
        self.runs = [by_position[at] for at in range(len(prepared))]
        for run, state in zip(self.runs, before, strict=True):
            if state is not None:
                run.restore(state["record"])

    @classmethod
    def of(cls, settings: RunSettings | Sequence[RunSettings]) -> Group:
        """A group of runs with these settings.

        Raises:
            ConfigError: settings that do not go together.
        """
        wanted = [settings] if isinstance(settings, RunSettings) else settings
        return cls(prepare_group((one, None, 20) for one in wanted))

    def train(self, flush_seconds: float = 2.0) -> Iterator[list[tuple[int, History]]]:
        """Train all runs to their ends, yielding new rows by the run's position every ``flush_seconds``.

        An empty list is a heartbeat, at most every :data:`HEARTBEAT` seconds.
        """
        flushed = beaten = perf_counter()
        for _ in self.blocks():
            now = perf_counter()
            full = sum(run.waiting for run in self.runs) > PENDING_BYTES
            if full or now - flushed >= flush_seconds:
                yield self._measured()
                flushed = beaten = perf_counter()
            elif now - beaten >= HEARTBEAT:
                yield []
                beaten = perf_counter()
        yield self._measured()

    def blocks(self) -> Iterator[None]:
        """Train, yielding after every block of rows, and without rows as a heartbeat."""
        for computation, runs in self._computations:
            while (block := computation.advance()) is not None:
                for position, rows in block:
                    self.runs[runs[position]].add(rows)
                for at in runs:
                    self.runs[at].leave_if_stopped()
                    if self._keep_ends:
                        self.runs[at].keep_end()
                yield

    def _collect(self) -> None:
        """Collect rows that were not delivered because of an interruption."""
        for computation, runs in self._computations:
            for position, rows in computation.rows():
                self.runs[runs[position]].add(rows)

    def _measured(self) -> list[tuple[int, History]]:
        rows = [(position, run.measure()) for position, run in enumerate(self.runs)]
        return [(position, part) for position, part in rows if len(part.iteration)]


def _together(prepared: Sequence[Prepared], saved: Sequence[Saved | None]) -> list[list[int]]:
    """Positions of the runs of each computation: gradient runs at the same iteration, or a single run."""
    alike: dict[Hashable, list[int]] = {}
    for at, (one, state) in enumerate(zip(prepared, saved, strict=True)):
        together: Hashable = None
        if not one.method.needs_gradient or (state and state["over"]):
            together = at
        elif state:
            # Runs of one group share a clock.
            together = state["iteration"], state["going"]["seconds"]
        alike.setdefault(together, []).append(at)
    return list(alike.values())


def _computation(prepared: Sequence[Prepared], saved: Sequence[Saved], span: int) -> Computation:
    for at, state in enumerate(saved):
        for name, source in prepared[at].source.items():
            set_source(source, state["chance"][name])
    if saved and saved[0]["over"]:
        progress, diverged, improvements = saved[0]["over"]
        return Over(Progress(*progress), diverged, [(at, loss) for at, loss in improvements])
    if prepared[0].method.needs_gradient:
        return _descent(prepared, [state["going"] for state in saved], span)
    return _search(prepared[0], saved[0]["going"] if saved else None, span)


def _search(prepared: Prepared, saved: Saved | None, span: int) -> Search:
    method, draws, budget = prepared.method, prepared.draws, prepared.settings.budget
    assert isinstance(method, SearchMethod)
    assert draws is not None
    if prepared.until is not None:
        budget = replace(budget, seconds=None)
    return Search(
        prepared.problem,
        method,
        prepared.theta,
        draws=draws,
        budget=budget,
        log_every=prepared.log_every,
        until=prepared.until,
        saved=saved,
        span=span,
    )


def _descent(prepared: Sequence[Prepared], saved: Sequence[Saved], span: int) -> Descent:
    """The runs as one computation, each with its own data and settings."""
    first = prepared[0]
    methods = [one.method for one in prepared if isinstance(one.method, GradientMethod)]
    problem, method, budget = first.problem, methods[0], first.settings.budget
    if len(prepared) > 1:
        method = stack(methods)
    if any(one.problem is not problem for one in prepared):
        data = [one.problem.train for one in prepared]
        stacked = Data(np.stack([own.x for own in data]), np.stack([own.y for own in data]))
        problem = Problem(
            *(problem.network, problem.loss, stacked, problem.test, problem.validation, problem.metrics)
        )
    return Descent(
        problem,
        method,
        np.stack([one.theta for one in prepared]),
        iterations=np.array([one.settings.budget.updates(method.evaluations) for one in prepared]),
        batches=[one.source["batches"] for one in prepared],
        draws=[one.source["method"] for one in prepared],
        layer_draws=[one.source["dropout"] for one in prepared],
        log_every=first.log_every,
        most_seconds=budget.seconds if first.until is None else None,
        until=first.until,
        saved=saved,
        span=span,
    )


def train(
    settings: RunSettings | Sequence[RunSettings], log_every: int | None = None, snapshots: int = 20
) -> list[Run]:
    """Train one run or many, in groups where possible, without a store and without files.

    Args:
        log_every: iterations between rows of a history; None: log-spaced, 30 a decade.
        snapshots: how many weights each run keeps.

    Raises:
        ConfigError: settings that do not go together.
    """
    wanted = [settings] if isinstance(settings, RunSettings) else list(settings)
    trained: dict[int, Run] = {}
    for positions in split(wanted):
        group = Group(prepare_group((wanted[at], log_every, snapshots) for at in positions))
        for _ in group.train():
            pass
        trained |= dict(zip(positions, group.runs, strict=True))
    return [trained[at] for at in range(len(wanted))]
