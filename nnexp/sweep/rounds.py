"""Rounds of seeds until methods are distinguished: train, test, and continue with the undecided methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nnexp.stats.design import DesignRecord, Score
from nnexp.stats.sequential import DIFFERENT, SAME, UNDECIDED, Decision, Pair, decide
from nnexp.sweep.design import Cell
from nnexp.tracking.recorder import RunResult

Launch = Callable[[list[list[str]]], Sequence[RunResult | None]]
"""Runs jobs with these overrides; returns the result of each, None for a job that was not started."""

MOST_NAMES = 3
"""The most pairs that the line of a look names."""


class Rounds:
    """The rounds of one sweep.

    Args:
        record: of the design, to which the looks are added.
        jobs: the overrides of each cell, without a seed.
        save: stores the record after each look.
        say: prints a line for the user.
    """

    def __init__(
        self,
        record: DesignRecord,
        jobs: dict[Cell, list[str]],
        save: Callable[[DesignRecord], None],
        say: Callable[[str], None],
    ) -> None:
        self.record, self._jobs, self._save, self._say = record, jobs, save, say
        self.launched = 0

    def run(self, launch: Launch) -> bool:
        """Train and look until all pairs are decided or all seeds are used.

        Earlier looks are not repeated: their runs and scores are recorded. A round is looked at when all of its
        runs have ended.

        Returns:
            Whether it came to its end; False if the result of a run is missing.
        """
        design, active, begun = self.record.design, list(self.record.design.methods), 0
        if self.record.looks:
            last = self.record.looks[-1]
            self._say(f"continues after look {len(self.record.looks)} at {last['seeds']} seeds")
        for number, seeds in enumerate(design.plan.looks, 1):
            cells = [
                (position, task, method)
                for position in range(begun, seeds)
                for method in active
                for task in design.tasks
            ]
            jobs = [[*self._jobs[task, method], f"seed={design.seed + at}"] for at, task, method in cells]
            self.launched += len(jobs)
            scores = [_score(result, design.measure) for result in launch(jobs)]
            missing = scores.count(None)
            if missing and seeds > self.record.seen:
                lost = "1 run has" if missing == 1 else f"{missing} runs have"
                self._say(f"look {number} at {seeds} seeds is not taken: {lost} no result")
                return False
            for (position, task, method), score in zip(cells, scores, strict=True):
                if score is not None:
                    self.record.add(task, method, position, score)
            decision = self._look(number, seeds)
            active = [name for name, goes_on in zip(design.methods, decision.active, strict=True) if goes_on]
            if not active:
                break
            begun = seeds
        return True

    def _look(self, number: int, seeds: int) -> Decision:
        """Decide at this number of seeds; record and show the look if it is new."""
        plan = self.record.design.plan
        if not self.record.looks:
            # Saved before the first look.
            self._save(self.record)
        decision = decide(plan, self.record.means()[:, :seeds])
        if seeds > self.record.seen:
            closed = [pair for pair in decision.pairs if pair.outcome != UNDECIDED and pair.seeds == seeds]
            self.record.looks.append({"seeds": seeds, "decided": decision.decided})
            self._save(self.record)
            self._say(self._line(number, seeds, decision, closed))
        return decision

    def _line(self, number: int, seeds: int, decision: Decision, closed: list[Pair]) -> str:
        design, total = self.record.design, len(decision.pairs)
        looks = len(design.plan.looks)
        text = f"look {number} of {looks}, {seeds} seeds: {decision.decided} of {total} pairs decided"
        if closed:
            named = [self._named(pair) for pair in closed[:MOST_NAMES]]
            named += [f"{len(closed) - MOST_NAMES} more"] if len(closed) > MOST_NAMES else []
            text += f" ({', '.join(named)})"
        now = {at for pair in closed for at in (pair.one, pair.two) if not decision.active[at]}
        if now and any(decision.active) and seeds < design.most:
            text += f"; no more seeds for {', '.join(design.methods[at] for at in sorted(now))}"
        return text

    def _named(self, pair: Pair) -> str:
        one, two = self.record.design.methods[pair.one], self.record.design.methods[pair.two]
        if pair.outcome == SAME:
            return f"{one} ~ {two}"
        assert pair.outcome == DIFFERENT
        return f"{one} > {two}" if pair.difference < 0 else f"{two} > {one}"


def _score(result: RunResult | None, measure: str) -> Score | None:
    """A run's score for a look; None for a run that has to be repeated, or that the store does not have."""
    if result is None or result.status == "killed" or not result.run_id:
        return None
    if result.status == "failed":
        return "failed"
    value = result.measures.get(measure, math.nan)
    return value if result.status == "finished" and math.isfinite(value) else "diverged"
