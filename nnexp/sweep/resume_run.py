"""Continuing a run outside sweeps: which one ``resume`` means, and what it left."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

from nnexp.config.schema import Config
from nnexp.sweep.identity import config_hash, start_key
from nnexp.sweep.longer import START
from nnexp.sweep.resume import LATEST, Found, give_up, recorded_config, recorded_result, why_again
from nnexp.tracking.claim import CLAIM, RESUMES
from nnexp.tracking.heartbeat import STALE_SECONDS, heartbeat, stale
from nnexp.tracking.left import Left, in_use
from nnexp.tracking.locations import StoreError
from nnexp.tracking.protocol import milliseconds


def of_runs(journals: Sequence[Left], wanted: str, config: str) -> list[Left]:
    """The journals of runs outside sweeps.

    Args:
        wanted: what ``resume`` is.
        config: the hash of the command's config.

    Raises:
        StoreError: another command already continues that run; the store may not have this yet.
    """
    found, now = [one for one in journals if not one.sweep_id], milliseconds() / 1000
    for one in found:
        tags, recent = one.begin.tags, now - one.begin.started / 1000 < STALE_SECONDS
        same = tags.get("nnexp.config_hash") == config if wanted == LATEST else tags.get(RESUMES) == wanted
        # Later its heartbeats in the store tell whether it was suspended.
        if same and recent and in_use(one.folder):
            raise StoreError(
                f"resume={wanted}: expected a run that has ended; {one.process} still works on it"
            )
    return found


def find_run(store: Any, config: Config, code: str) -> Found:
    """What the store has of the run that ``resume`` means; a RUNNING run without a heartbeat is marked KILLED.

    An id means that run, ``latest`` the latest of the same settings and data, or if there is none the latest whose
    settings differ only in a shorter budget.

    Args:
        store: None where there is none yet.
        code: the hash of the code that would train it now.

    Raises:
        StoreError: there is no such run, its settings differ, or a process still works on it.
    """
    wanted = str(config.resume)
    where = f"in experiment {config.tracking.experiment}"
    if store is None:
        raise StoreError(f"resume={wanted}: expected an earlier run {where}; there is none")
    own = config_hash(config)
    run = _chosen(store, wanted, config, where)
    tags, run_id = run.data.tags, run.info.run_id
    if run.info.status == "RUNNING":
        if not stale(tags, run.info.start_time / 1000):
            process = tags.get("nnexp.process", "another process")
            raise StoreError(
                f"resume={wanted}: expected a run that has ended; {process} still works on {run_id}"
            )
        # If its process was only suspended, it ends when it sees this.
        store.run(run_id).record(tags=heartbeat() | {CLAIM: token_hex(8)})
        give_up(store, run)
    before = [run]
    # It may itself have continued a run that still exists.
    while _hash(before[0]) == own and (earlier := before[0].data.tags.get(RESUMES)):
        found = store.search(f"attributes.run_id = '{earlier}'")
        if not found:
            break
        before.insert(0, found[0])
    shorter = before.pop(0) if _hash(before[0]) != own else None
    whole = run.info.status == "FINISHED" and store.has_results(run)
    if whole and _hash(run) == own and tags.get("nnexp.code_hash") == code:
        # A process that was killed after it recorded this one has not replaced the others.
        return Found(recorded_result(store, run), "", before[:-1])
    return Found(None, why_again(run), before, shorter)


def _chosen(store: Any, wanted: str, config: Config, where: str) -> Any:
    own = config_hash(config)
    if wanted == LATEST:
        alone = [
            run for run in store.search("tags.`nnexp.kind` = 'run'") if "nnexp.sweep_id" not in run.data.tags
        ]
        same = [run for run in alone if _hash(run) == own] or [
            run for run in alone if _is_shorter(run, config)
        ]
        if not same:
            raise StoreError(f"resume={wanted}: expected an earlier run of the same settings {where}")
        return same[-1]
    # No other text is an id, and a quote would end the condition.
    found = store.search(f"attributes.run_id = '{wanted}'") if wanted.isalnum() else []
    if not found or found[0].data.tags.get("nnexp.kind") != "run":
        raise StoreError(f"resume={wanted}: expected {LATEST}, or the id of a run {where}")
    tags = found[0].data.tags
    if sweep := tags.get("nnexp.sweep_id"):
        raise StoreError(
            f"resume={wanted}: this run belongs to a sweep; to continue the sweep, use -m with sweep.resume={sweep}"
        )
    if _hash(found[0]) != own and not _is_shorter(found[0], config):
        raise StoreError(
            f"resume={wanted}: this command's settings differ from that run's; expected the same ones, or "
            "only a longer budget if it has finished"
        )
    return found[0]


def _hash(run: Any) -> str:
    return str(run.data.tags.get("nnexp.config_hash", ""))


def _is_shorter(run: Any, config: Config) -> bool:
    """Whether a run has finished and its settings differ from a config only in a shorter budget."""
    if run.info.status != "FINISHED" or run.data.tags.get(START) != start_key(config, "").config:
        return False
    before = recorded_config(run.data.params).budget
    pairs = (before.iterations, config.budget.iterations), (before.evaluations, config.budget.evaluations)
    return all(after is None or (shorter is not None and shorter <= after) for shorter, after in pairs)
