"""A run trained again from its record, and compared with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from nnexp.config.error import ConfigError, OutsideModule
from nnexp.config.schema import Config, from_mapping
from nnexp.losses.measures import BATCH_LOSS
from nnexp.replay.compare import Difference, count, differing, first_difference
from nnexp.replay.recorded import HISTORY, INTERRUPTED, Numbers, Recorded, numbers_of
from nnexp.sweep.identity import code_hash
from nnexp.tracking.claim import CONTINUED
from nnexp.tracking.environment import environment
from nnexp.tracking.files import run_files
from nnexp.tracking.plain import to_yaml
from nnexp.training.group import Group
from nnexp.training.prepare import prepare
from nnexp.training.run import Run


class Replayed(NamedTuple):
    """The result of a replay: how many ``numbers`` were compared, the first ``difference``, and what else ``differs``.

    ``left_out`` tells what was not compared.
    """

    rows: int
    last: int
    numbers: int
    difference: Difference | None
    differs: list[str]
    left_out: str = ""

    @property
    def equal(self) -> bool:
        """Whether all numbers are equal, bit for bit."""
        return self.difference is None


def config_of(recorded: Recorded, trusted: Sequence[str]) -> Config:
    """The run's config.

    Args:
        trusted: modules outside nnexp that may be imported, with their top-level packages.

    Raises:
        ConfigError: a module that is not trusted, or a config that this version cannot read.
    """
    try:
        return from_mapping(recorded.config, [name.partition(".")[0] for name in trusted])
    except OutsideModule as error:
        raise ConfigError(error.advice) from error


def changed_data(recorded: Recorded, config: Config) -> str:
    """A message if given data differ from the recorded ones; empty where they are equal, or drawn.

    Raises:
        ConfigError: a file is missing.
    """
    before, now = recorded.tags.get("nnexp.data", ""), config.dataset.digest()
    if before in ("", now):
        return ""
    where = getattr(config.dataset, "path", None)
    return f"data{f' {where}' if where else ''}: digest {before} recorded, {now or 'none'} now"


def replay(
    recorded: Recorded, config: Config, watch: Callable[[Run], AbstractContextManager[Any]]
) -> Replayed:
    """Train the run again, alone, and compare its files with the recorded ones.

    A run that was interrupted, or has a budget of seconds, is trained up to its last row; any other to its own end.

    Args:
        watch: a context in which the run is trained, with a method ``rows`` for measured rows.

    Raises:
        ConfigError: settings that do not go together here, or data that are missing.
    """
    threads = recorded.environment.get("threads")
    with threadpool_limits(threads, user_api="blas"):
        prepared = prepare(config, config.tracking.log_every, config.tracking.snapshots)
        group = Group([prepared._replace(until=recorded.until)])
        (run,) = group.runs
        with watch(run) as progress:
            for parts in group.train():
                if parts:
                    progress.rows(parts[0][1])
        here = environment()
        numbers = numbers_of(run_files(prepared, run, to_yaml(config), here))
        if recorded.status in INTERRUPTED:
            _measure_last(run, recorded.numbers, numbers)
        left_out = ""
        if CONTINUED in recorded.tags and not prepared.method.needs_gradient:
            # The end of the first budget cut a block of candidates, so that evaluations differ without it.
            left_out = "without evaluations, because the run was continued"
            for of in (recorded.numbers, numbers):
                of[HISTORY].pop("evaluations")
    arrays = prepared.problem.network.layout.describe()["arrays"]
    weights = [f"{one['name']}{list(at)}" for one in arrays for at in np.ndindex(*one["shape"])]
    rows = recorded.numbers[HISTORY]["iteration"]
    return Replayed(
        len(rows), int(rows[-1]), count(recorded.numbers), first_difference(recorded.numbers, numbers, weights),
        [*_code(recorded, config, here), *differing(recorded.environment, here), *_data(recorded, prepared)],
        left_out,
    )  # fmt: skip


def _measure_last(run: Run, recorded: dict[str, Numbers], numbers: dict[str, Numbers]) -> None:
    """Measure the last row as an interruption does.

    An interruption evaluates the weights separately if training had not computed their loss; sums over many samples may
    then be rounded in another way.
    """
    seen = run.prepared.problem.evaluate(run.final_theta[None])
    for of, name in ((HISTORY, "loss"), (HISTORY, "accuracy"), ("snapshots", "loss")):
        value = np.float64(getattr(seen, name)[0])
        if of in recorded and recorded[of][name][-1] == value:
            numbers[of][name] = np.append(numbers[of][name][:-1], value)
    # Such a row has no loss of its mini-batches.
    if BATCH_LOSS in recorded[HISTORY] and np.isnan(recorded[HISTORY][BATCH_LOSS][-1]):
        numbers[HISTORY][BATCH_LOSS] = np.append(numbers[HISTORY][BATCH_LOSS][:-1], np.nan)


def _code(recorded: Recorded, config: Config, here: dict[str, Any]) -> list[str]:
    before, now = recorded.tags.get("nnexp.code_hash"), code_hash(config)
    if before in (None, now):
        return []
    commits = (_commit(recorded.environment), _commit(here))
    return [f"code: {before} ({commits[0]}) recorded, {now} ({commits[1]}) now"]


def _commit(environment: dict[str, Any]) -> str:
    git = environment.get("git")
    if not git:
        return f"nnexp {(environment.get('packages') or {}).get('nnexp', 'of an unknown version')}"
    return f"commit {git['commit'][:12]}{', with changes' if git.get('dirty') else ''}"


def _data(recorded: Recorded, prepared: Any) -> list[str]:
    before, now = recorded.environment.get("data"), prepared.problem.digest
    return [] if before in (None, now) else [f"data: digest {before} recorded, {now} now"]
