"""Tuning: Optuna chooses values in intervals from the results of earlier trials.

Every study (for example a method) has the same number of trials, and a trial has a job for each combination of the
command line's own axes, such as seeds. The value of a trial is the median of its jobs' objectives.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from statistics import median
from typing import Any

from hydra.core.override_parser.types import IntervalSweep

from nnexp.config.schema import ConfigError, Sweep
from nnexp.sweep.compose.axes import short
from nnexp.sweep.compose.grid import Study

Launch = Callable[[list[list[str]]], Sequence[float]]
"""Runs jobs with these overrides; returns the objective of each, lower is better, not finite for failed jobs."""


@dataclass
class Attempt:
    """A trial: its settings, and the objectives of its jobs, in the order of the study's ``more``."""

    settings: list[str]
    values: list[float] = field(default_factory=list)
    pruned: bool = False

    @property
    def value(self) -> float:
        """Median over the trial's jobs."""
        return median(self.values)


@dataclass
class Tuned:
    """A study and its trials, in the order in which they were chosen."""

    study: Study
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def best(self) -> Attempt:
        """The best of the trials that ran to their ends."""
        return min((attempt for attempt in self.attempts if not attempt.pruned), key=lambda a: a.value)


def tune(studies: Sequence[Study], settings: Sweep, launch: Launch) -> list[Tuned]:
    """Search the intervals of all studies in parallel, in rounds of ``settings.at_once`` trials of each.

    With ``settings.prune`` a third of a trial's jobs runs first, and a trial that is then worse than the median of its
    study's trials ends. All studies have the same cost, except for pruned jobs.
    """
    import optuna

    assert settings.trials is not None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched = [Tuned(study) for study in studies]
    searches = [_search(settings) for _ in studies]
    spaces = [{axis.key: _distribution(axis.interval) for axis in study.axes} for study in studies]
    for begun in range(0, settings.trials, settings.at_once):
        count = min(settings.at_once, settings.trials - begun)
        asked = []
        for tuned, search, space in zip(searched, searches, spaces, strict=True):
            for _ in range(count):
                trial = search.ask(space)
                attempt = Attempt([*tuned.study.fixed, *_overrides(trial.params, space)])
                tuned.attempts.append(attempt)
                asked.append((tuned.study, search, trial, attempt))
        for first in (True, False):
            going = [(study, trial, attempt) for study, _, trial, attempt in asked if not attempt.pruned]
            jobs = [
                (attempt, more)
                for study, _, attempt in going
                for more in _part(study.more, settings.prune, first)
            ]
            if not jobs:
                continue
            results = launch([[*attempt.settings, *more] for attempt, more in jobs])
            for (attempt, _), result in zip(jobs, results, strict=True):
                attempt.values.append(result if math.isfinite(result) else math.inf)
            if first and settings.prune:
                for _, trial, attempt in going:
                    trial.report(attempt.value, 0)
                    attempt.pruned = trial.should_prune()
        for _, search, trial, attempt in asked:
            if attempt.pruned:
                search.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                search.tell(trial, attempt.value)
    return searched


def left_out(searched: Sequence[Tuned]) -> int:
    """How many jobs were pruned."""
    return sum(
        len(tuned.study.more) - len(attempt.values) for tuned in searched for attempt in tuned.attempts
    )


def check_optuna(settings: Sweep) -> None:
    """Check that Optuna is installed, before the first run.

    Raises:
        ConfigError: it is not installed.
    """
    if find_spec("optuna") is None:
        raise ConfigError(
            f"sweep.trials={settings.trials}: Optuna is not installed; pip install 'nnexp[optuna]'"
        )


def _part(more: list[list[str]], prune: bool, first: bool) -> list[list[str]]:
    """The jobs that a trial begins with, or the others."""
    at = max(1, len(more) // 3) if prune else len(more)
    return more[:at] if first else more[at:]


def _search(settings: Sweep) -> Any:
    import optuna

    assert settings.trials is not None
    with warnings.catch_warnings():
        # Unfinished trials count as bad, so that those of one round differ; experimental in some versions.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=settings.sampler_seed, n_startup_trials=max(4, settings.trials // 4), constant_liar=True
        )
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4) if settings.prune else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=sampler, pruner=pruner)


def _distribution(interval: IntervalSweep | None) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    assert interval is not None
    low, high, log = interval.start, interval.end, "log" in interval.tags
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _overrides(params: dict[str, Any], space: dict[str, Any]) -> list[str]:
    return [
        f"{key}={value if isinstance(value, int) else short(value, space[key].low, space[key].high)}"
        for key, value in params.items()
    ]
