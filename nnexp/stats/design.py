"""The record of a sweep that runs until it is decided: its design, its scores, and its looks."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from nnexp.stats.sequential import ALPHA, EVERY, FIRST, PATHS, Decision, Plan, decide

Array = np.ndarray[Any, Any]

Score = float | str
"""A run's measure at the end of its budget, or ``diverged`` or ``failed``."""


@dataclass(frozen=True)
class Design:
    """All that the verdict depends on in addition to the runs; it is recorded before the first look.

    Attributes:
        methods, tasks: by name; each method is trained on each task.
        seed: the first of the seeds, which follow one another.
        most: seeds at which the sweep ends.
        measure: what is compared, at the end of each run's budget; ``higher`` whether higher is better.
        axis, at: the cost that the budget is given in, and how much of it each task has.
        worst: the value of diverged and failed runs, by task.
        margin: mean difference within which two methods count as equal; None: equality is never claimed.
        settings, code: hashes of what is trained, and of the code that trains it.
    """

    methods: list[str]
    tasks: list[str]
    seed: int
    most: int
    measure: str
    higher: bool
    axis: str
    at: dict[str, float]
    worst: dict[str, float]
    margin: float | None
    settings: str
    code: str
    alpha: float = ALPHA
    first: int = FIRST
    every: int = EVERY
    paths: int = PATHS
    spending: str = "t^2"
    signs: int = 0
    """Seed of the sign matrix, whose columns are drawn at once for all looks."""

    @property
    def plan(self) -> Plan:
        """The parameters of the test."""
        return Plan(
            len(self.methods),
            self.most,
            self.margin,
            self.signs,
            self.alpha,
            self.first,
            self.every,
            self.paths,
        )

    @property
    def sign(self) -> float:
        """1 where lower values are better, -1 where higher ones are."""
        return -1.0 if self.higher else 1.0


@dataclass
class DesignRecord:
    """A design, with its scores and looks.

    Attributes:
        scores: by task and method, in the order of seeds. The scores of a look never change, even if its run is
            repeated.
        looks: seeds and number of decided pairs of each look that was taken.
        changes: what was changed after a look, in words.
    """

    design: Design
    scores: dict[str, dict[str, list[Score]]] = field(default_factory=dict)
    looks: list[dict[str, int]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Seeds of the last look."""
        return self.looks[-1]["seeds"] if self.looks else 0

    def add(self, task: str, method: str, position: int, score: Score) -> None:
        """Set the score of the seed at a position, unless an earlier look has used one."""
        own = self.scores.setdefault(task, {}).setdefault(method, [])
        if position == len(own):
            own.append(score)
        elif position >= self.seen:
            own[position] = score

    def values(self, worst: bool = True) -> Array:
        """Scores ``(T, M, n)``, lower is better, up to the last seed of any method; NaN where there is none.

        Args:
            worst: whether a run that diverged or failed has its task's worst value, or none.
        """
        design = self.design
        own = [[self.scores.get(task, {}).get(name, []) for name in design.methods] for task in design.tasks]
        count = max(len(scores) for row in own for scores in row)
        values = np.full((len(design.tasks), len(design.methods), count), np.nan)
        for (t, task), (m, _) in ((a, b) for a in enumerate(design.tasks) for b in enumerate(design.methods)):
            for s, score in enumerate(own[t][m]):
                lost = design.worst[task] if worst else math.nan
                values[t, m, s] = design.sign * (lost if isinstance(score, str) else score)
        return values

    def means(self, worst: bool = True) -> Array:
        """Means over tasks ``(M, n)``: a seed with all its tasks is one observation."""
        return np.asarray(self.values(worst).mean(0))

    def decision(self) -> Decision:
        """The decision from all scores, from the first look on."""
        return decide(self.design.plan, self.means())

    def lost(self) -> dict[str, dict[str, int]]:
        """How many runs of each method diverged, and failed, where any did."""
        found: dict[str, dict[str, int]] = {}
        for methods in self.scores.values():
            for name, scores in methods.items():
                for score in scores:
                    if isinstance(score, str):
                        own = found.setdefault(name, {})
                        own[score] = own.get(score, 0) + 1
        return found

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def read(cls, text: str) -> DesignRecord:
        """The record that :meth:`text` wrote."""
        values = json.loads(text)
        return cls(**(values | {"design": Design(**values["design"])}))


def differing(before: Design, now: Design) -> list[str]:
    """Names of the fields in which two designs differ."""
    return [name for name in asdict(before) if getattr(before, name) != getattr(now, name)]


def counted(found: dict[str, dict[str, int]], methods: Sequence[str]) -> str:
    """Lost runs in words: ``2 of sgd diverged``; empty where there are none."""
    return ", ".join(
        f"{count} of {name} {what}" for name in methods for what, count in found.get(name, {}).items()
    )
