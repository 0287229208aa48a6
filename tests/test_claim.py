"""A sweep has one owner: who lost it stops, and no run is there twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest
from commands import LONG, here, in_store, made_store, runs, start, wait_for

from nnexp.tracking.claim import CLAIM
from nnexp.tracking.locations import SweepTaken
from nnexp.tracking.mlflow_store import Store

SWEEP = (
    "-m",
    "optimizer=random",
    "seed=range(0,6)",
    *LONG,
    "budget.evaluations=5000",
    "hydra.launcher.n_jobs=1",
)
"""Runs of a second."""


def each_once(place: Path) -> None:
    found = runs(place)
    assert [(run.data.tags["nnexp.job"], run.info.status) for run in found] == [
        (str(job), "FINISHED") for job in range(6)
    ]
    (parent,) = runs(place, "sweep")
    assert parent.info.status == "FINISHED"


def one_finished(place: Path) -> list[object]:
    return in_store(place, "select 1 from runs where status = 'FINISHED'")


def asleep(sweep: subprocess.Popen[str], place: Path) -> bool:
    """Suspend a sweep as if for an hour, unless it is just writing: whoever wants the store then would wait for it."""
    os.killpg(sweep.pid, signal.SIGSTOP)
    try:
        with closing(sqlite3.connect(place / "runs" / "mlflow.db", timeout=0.1)) as store, store:
            store.execute("update tags set value = '1000' where key = 'nnexp.heartbeat'")
    except sqlite3.OperationalError:
        os.killpg(sweep.pid, signal.SIGCONT)
        return False
    return True


def test_a_sweep_that_was_suspended_and_taken_over_stops_when_it_wakes_up(tmp_path: Path) -> None:
    made_store(tmp_path)
    first = start(tmp_path, *SWEEP, start_new_session=True)
    wait_for(lambda: one_finished(tmp_path))
    wait_for(lambda: asleep(first, tmp_path))
    taken = here(tmp_path, *SWEEP, "sweep.resume=true")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    each_once(tmp_path)
    os.killpg(first.pid, signal.SIGCONT)
    out, error = first.communicate(timeout=120)
    assert first.returncode == 1, out + error
    assert len(error.splitlines()) == 1, error
    assert "has continued it; this command ends" in error
    each_once(tmp_path)


def test_of_two_that_claim_a_sweep_at_once_one_has_it(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    stores = [Store.open(uri, "nnexp") for _ in range(2)]
    parent = stores[0].start_parent("sweep", {}, {"nnexp.sweep_id": "one", CLAIM: "killed"})
    lost: list[str] = []

    def claim(number: int) -> None:
        try:
            stores[number].resume_parent(parent.run_id, f"token {number}")
        except SweepTaken as error:
            lost.append(str(error))

    both = [threading.Thread(target=claim, args=[number]) for number in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    (line,) = lost
    assert line.startswith("sweep one: ")
    assert line.endswith(" has continued it; this command ends")
    (run,) = runs(tmp_path, "sweep")
    owner = next(number for number, store in enumerate(stores) if run.data.tags[CLAIM] == f"token {number}")
    stores[owner].check()
    with pytest.raises(SweepTaken):
        stores[1 - owner].check()


@pytest.mark.soak
def test_of_two_that_resume_at_once_one_goes_on(tmp_path: Path) -> None:
    made_store(tmp_path)
    first = start(tmp_path, *SWEEP)
    wait_for(lambda: one_finished(tmp_path))
    first.kill()
    first.communicate()
    both = [start(tmp_path, *SWEEP, "sweep.resume=true") for _ in range(2)]
    said = [one.communicate(timeout=180) for one in both]
    assert sorted(one.returncode for one in both)[0] == 0, said
    (loser,) = (error for (_, error), one in zip(said, both, strict=True) if one.returncode != 0)
    assert len(loser.splitlines()) == 1, loser
    each_once(tmp_path)
