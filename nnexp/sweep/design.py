"""The design of a sweep with ``sweep.until=decided``: methods, tasks, measure, error rate, fixed at its start."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import nan
from statistics import fmean

from nnexp.config.schema import AUTO, Config, ConfigError
from nnexp.config.settings import shown
from nnexp.results.columns import ALL_AXES
from nnexp.results.labels import label
from nnexp.results.records import Record, table
from nnexp.stats.design import Design, DesignRecord, differing
from nnexp.stats.sequential import EVERY, Plan
from nnexp.sweep.identity import code_hash, config_hash
from nnexp.sweep.trial import direction
from nnexp.tracking.plain import flatten
from nnexp.tracking.recorder import start_tags

AXES = {"iterations": "iteration", "evaluations": "evaluations", "seconds": "seconds"}
"""The axis of each limit of a budget."""

MEASURES = ("test_loss", "val_loss", "loss")
"""The measures for ``sweep.measure=auto``: the first one that all tasks have."""

UNTIL = "sweep.until=decided"

Cell = tuple[str, str]
"""A task and a method, by their names in reports."""


def cells(configs: Sequence[Config]) -> list[Cell]:
    """The task and the method of each job of a sweep that chooses its seeds itself.

    Raises:
        ConfigError: the jobs are not a grid of methods and tasks with equal budgets.
    """
    if any(config.sweep.trials is not None for config in configs):
        raise ConfigError(
            f"sweep.trials: expected null with {UNTIL}; first tune, then compare the tuned methods in a second sweep"
        )
    seeds = sorted({config.seed for config in configs})
    if len(seeds) > 1:
        raise ConfigError(
            f"seed={','.join(map(str, seeds))}: expected one seed, the first, with {UNTIL}, which adds further "
            f"seeds itself"
        )
    runs = label(
        table([Record("", "", "FINISHED", 0, 0, "", start_tags(c, []), flatten(c), {}) for c in configs])
    )
    found = list(zip(runs["task"].astype(str), runs["variant"].astype(str), strict=True))
    tasks, methods = dict.fromkeys(task for task, _ in found), dict.fromkeys(name for _, name in found)
    if len(methods) < 2:
        raise ConfigError(f"{UNTIL}: expected two or more methods, such as optimizer=sgd,adam")
    twice = next((cell for cell in found if found.count(cell) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"{UNTIL}: {twice[1]} on {twice[0]} has several jobs; expected one job for each method and task"
        )
    missing = [(task, name) for task in tasks for name in methods if (task, name) not in set(found)]
    if missing:
        raise ConfigError(
            f"{UNTIL}: expected every method on every task; {missing[0][1]} has no job on {missing[0][0]}"
        )
    _limits(configs, found)
    if not Plan(len(methods), configs[0].sweep.most_seeds).can_decide:
        raise ConfigError(
            f"sweep.most_seeds={configs[0].sweep.most_seeds}: too few seeds to distinguish {len(methods)} "
            f"methods; expected more"
        )
    return found


def make_design(configs: Sequence[Config], found: Sequence[Cell]) -> Design:
    """The design of a sweep of these jobs and their :func:`cells`.

    A run that diverges or fails has the value of untrained networks: the mean of their measure over the first seeds.

    Raises:
        ConfigError: a measure that a task does not have.
    """
    first = configs[0]
    settings, seed = first.sweep, first.seed
    tasks = list(dict.fromkeys(task for task, _ in found))
    by_task = {task: config for (task, _), config in zip(reversed(found), reversed(configs), strict=True)}
    untrained = {task: _untrained(by_task[task]) for task in tasks}
    known = [
        name for name in MEASURES if all(math.isfinite(untrained[task].get(name, nan)) for task in tasks)
    ]
    measure = known[0] if settings.measure == AUTO else settings.measure
    without = [task for task in tasks if not math.isfinite(untrained[task].get(measure, nan))]
    if without:
        raise ConfigError(
            f"sweep.measure={measure}: expected a measure that each task has; {without[0]} does not have it"
        )
    limits = _limits(configs, found)
    keys = sorted(config_hash(replace(config, seed=seed)) for config in configs)
    codes = sorted({code_hash(config) for config in configs})
    return Design(
        methods=list(dict.fromkeys(name for _, name in found)),
        tasks=tasks,
        seed=seed,
        most=settings.most_seeds,
        measure=measure,
        higher=direction(measure, first.metrics) < 0,
        axis=AXES[next(iter(limits.values()))[0]],
        at={task: float(limits[task][1]) for task in tasks},
        worst={
            task: untrained[task][measure] if settings.worst is None else settings.worst for task in tasks
        },
        margin=settings.margin,
        settings=_digest(keys),
        code=_digest(codes),
    )


def continued(before: DesignRecord | None, design: Design, keep: bool) -> DesignRecord:
    """The record to continue with: the earlier one if it has looks, else a new one.

    Args:
        keep: whether runs of changed code are kept, which the verdict then reports.

    Raises:
        ConfigError: the design was changed after a look.
    """
    if before is None or not before.looks:
        return DesignRecord(design)
    changed = differing(before.design, design)
    looks = f"after {len(before.looks)} look{'s' if len(before.looks) != 1 else ''}"
    if changed == ["code"]:
        if not keep:
            raise ConfigError(
                f"{UNTIL}: the code was changed {looks}; expected the same code, or sweep.stale_code=keep, "
                f"which the verdict reports"
            )
        before.changes.append(f"the code, at {before.seen} seeds")
        before.design = design
        return before
    if changed:
        name = changed[0]
        now, then = getattr(design, name), getattr(before.design, name)
        setting = {"most": "sweep.most_seeds", "margin": "sweep.margin", "measure": "sweep.measure",
                   "worst": "sweep.worst", "seed": "seed"}.get(name)  # fmt: skip
        if setting is None:
            raise ConfigError(f"{UNTIL}: {name} cannot be changed {looks}; expected {_text(then)}")
        raise ConfigError(f"{setting}={_text(now)}: cannot be changed {looks}; expected {_text(then)}")
    return before


def _limits(configs: Sequence[Config], found: Sequence[Cell]) -> Mapping[str, tuple[str, float]]:
    """The only limit of each task's budget, with its value."""
    limits: dict[str, tuple[str, float]] = {}
    for (task, method), config in zip(found, configs, strict=True):
        own = [
            (name, getattr(config.budget, name)) for name in AXES if getattr(config.budget, name) is not None
        ]
        if len(own) != 1:
            given = ", ".join(f"budget.{name}={value}" for name, value in own)
            raise ConfigError(
                f"{given}: expected only one limit with {UNTIL}: the cost at which methods are compared"
            )
        if limits.setdefault(task, own[0]) != own[0]:
            raise ConfigError(
                f"budget.{own[0][0]}={own[0][1]}: budget of {method} on {task}; expected the same budget for "
                f"each method"
            )
    if len({name for name, _ in limits.values()}) > 1:
        raise ConfigError(f"budget: expected the same kind of limit on each task with {UNTIL}")
    return limits


def _untrained(config: Config) -> dict[str, float]:
    """The mean of each measure over untrained networks of the first seeds, NaN where undefined."""
    from nnexp.training import Budget, Group

    rows = []
    for seed in range(config.seed, config.seed + EVERY):
        group = Group.of(replace(config, seed=seed, budget=Budget(iterations=1)))
        rows.append(group.runs[0].stop())
    return {name: fmean(float(one[name][0]) for one in rows) for name in rows[0] if name not in ALL_AXES}


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(texts).encode()).hexdigest()[:16]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, dict) else shown(value)
