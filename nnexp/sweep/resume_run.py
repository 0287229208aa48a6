"""A run without a sweep that is gone on with: which one ``resume`` means, and what is there of it."""

from __future__ import annotations

from typing import Any

from nnexp.config.schema import Config
from nnexp.sweep.identity import config_hash
from nnexp.sweep.resume import LATEST, Found, give_up, recorded_result, why_again
from nnexp.tracking.claim import RESUMES
from nnexp.tracking.files import HISTORY_FILE
from nnexp.tracking.heartbeat import stale
from nnexp.tracking.locations import StoreError


def find_run(store: Any, config: Config, code: str) -> Found:
    """What is there of the run that ``resume`` means; one that is RUNNING without a sign of life is KILLED then.

    An id is that run's, ``latest`` the latest of the same settings and data.

    Args:
        store: None where there is none yet.
        code: the hash of the code that would train it now.

    Raises:
        StoreError: there is no such run, its settings are others, or a process still works on it.
    """
    wanted = str(config.resume)
    where = f"in experiment {config.tracking.experiment}"
    if store is None:
        raise StoreError(f"resume={wanted}: expected an earlier run {where}, which is not there")
    run = _chosen(store, wanted, config_hash(config), where)
    tags, run_id = run.data.tags, run.info.run_id
    if run.info.status == "RUNNING":
        if not stale(tags, run.info.start_time / 1000):
            process = tags.get("nnexp.process", "another process")
            raise StoreError(
                f"resume={wanted}: expected a run that has ended; {process} still works on {run_id}"
            )
        give_up(store, run)
    whole = run.info.status == "FINISHED" and store.has_file(run, HISTORY_FILE)
    if whole and tags.get("nnexp.code_hash") == code:
        return Found(recorded_result(store, run), "", [])
    before = [run]
    # It may itself have gone on with a run that is still there.
    while earlier := before[0].data.tags.get(RESUMES):
        found = store.search(f"attributes.run_id = '{earlier}'")
        if not found:
            break
        before.insert(0, found[0])
    return Found(None, why_again(run), before)


def _chosen(store: Any, wanted: str, own: str, where: str) -> Any:
    if wanted == LATEST:
        same = store.search(f"tags.`nnexp.kind` = 'run' and tags.`nnexp.config_hash` = '{own}'")
        alone = [run for run in same if "nnexp.sweep_id" not in run.data.tags]
        if not alone:
            raise StoreError(f"resume={wanted}: expected an earlier run of the same settings {where}")
        return alone[-1]
    # No other text is an id, and a quote would end the condition.
    found = store.search(f"attributes.run_id = '{wanted}'") if wanted.isalnum() else []
    if not found or found[0].data.tags.get("nnexp.kind") != "run":
        raise StoreError(f"resume={wanted}: expected {LATEST}, or the id of a run {where}")
    tags = found[0].data.tags
    if sweep := tags.get("nnexp.sweep_id"):
        raise StoreError(
            f"resume={wanted}: it is a run of a sweep, which -m ... sweep.resume={sweep} goes on with"
        )
    if tags.get("nnexp.config_hash") != own:
        raise StoreError(f"resume={wanted}: expected the settings of that run; this command has others")
    return found[0]
