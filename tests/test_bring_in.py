"""What a journal holds is brought in once, whatever its sweep does meanwhile."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from test_recording import short

from nnexp.results import load_runs
from nnexp.tracking import journal
from nnexp.tracking.bring_in import bring_in
from nnexp.tracking.claim import CLAIM, Claim
from nnexp.tracking.journal import Beginning
from nnexp.tracking.locations import SweepTaken


def test_a_sweep_that_runs_brings_in_its_own_and_one_that_wakes_up_does_so_no_more(tmp_path: Path) -> None:
    case = short(tmp_path)
    store = case.store
    begin = Beginning("sweep", {}, {"nnexp.sweep_id": "one", CLAIM: "token"}, 1)
    said = {"uri": None, "store": store.uri, "experiment": "nnexp", "begin": begin}
    journal.append(case.folder / journal.PARENT, [journal.framed("begin", b"", **said)])
    parent = store.start_parent(*begin)
    # Another process, which is alive.
    other = {"nnexp.process": f"{socket.gethostname()}:{os.getppid()}"}
    parent.record(tags=other | {"nnexp.heartbeat": str(int(time.time()))})
    brought = bring_in(lambda *_: store, tmp_path)
    assert (brought.runs, brought.there) == (0, 0)
    (problem,) = brought.problems
    assert problem.endswith(f"journal: {other['nnexp.process']} still works on sweep one")
    assert len(store.search("tags.`nnexp.kind` = 'run'")) == 0
    parent.record(tags={"nnexp.heartbeat": "1000"})
    assert bring_in(lambda *_: store, tmp_path)[:2] == (1, 0)
    (found,) = store.search("tags.`nnexp.kind` = 'sweep'")
    assert found.info.status == "KILLED"
    with pytest.raises(SweepTaken, match="has continued it"):
        Claim(parent, "token").check()
    (run,) = store.search("tags.`nnexp.kind` = 'run'")
    assert (run.info.status, run.data.tags["mlflow.parentRunId"]) == ("FINISHED", found.info.run_id)


def test_a_run_that_was_begun_twice_is_gone_at_the_end(tmp_path: Path) -> None:
    case = short(tmp_path)
    begin = Beginning("sweep", {}, {"nnexp.sweep_id": "one"}, 1)
    said = {"uri": None, "store": case.store.uri, "experiment": "nnexp", "begin": begin}
    last = journal.framed("end", status="FINISHED", tags={})
    journal.append(case.folder / journal.PARENT, [journal.framed("begin", b"", **said), last])
    # The store's answer was lost, and the client asked once more.
    case.store.start("ghost", {}, {"nnexp.sweep_id": "one", "nnexp.kind": "run"})
    assert bring_in(lambda *_: case.store, tmp_path) == (1, 0, [])
    found = case.store.search("tags.`nnexp.kind` != 'none'")
    assert {run.info.run_name: run.info.status for run in found} == {
        "sweep": "FINISHED",
        "sgd, seed 0": "FINISHED",
    }


def test_a_run_whose_file_is_damaged_has_failed_and_stays_in_the_store(tmp_path: Path) -> None:
    case = short(tmp_path)
    begin = Beginning("sweep", {}, {"nnexp.sweep_id": "one"}, 1)
    said = {"uri": None, "store": case.store.uri, "experiment": "nnexp", "begin": begin}
    last = journal.framed("end", status="FINISHED", tags={})
    journal.append(case.folder / journal.PARENT, [journal.framed("begin", b"", **said), last])
    (file,) = journal.left(case.folder)
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    file.write_bytes(damaged)
    case.store.start(
        "live", {}, {"nnexp.sweep_id": "one", "nnexp.kind": "run", "nnexp.job": str(int(file.stem))}
    )
    brought = bring_in(lambda *_: case.store, tmp_path)
    assert (brought.runs, brought.there) == (0, 0)
    assert any("damaged from byte" in problem for problem in brought.problems)
    (run,) = case.store.search("tags.`nnexp.kind` = 'run'")
    assert (run.info.run_name, run.info.status) == ("live", "FAILED")
    assert "damaged from byte" in run.data.tags["nnexp.reason"]
    assert file.exists()


def test_a_file_that_is_whole_but_not_understood_is_named_and_the_others_are_recorded(tmp_path: Path) -> None:
    case = short(tmp_path)
    other = case.folder / f"000099{journal.RUN}"
    begin = Beginning("other", {}, {"nnexp.kind": "run"}, 1)
    records = [journal.begun(None, "nnexp", begin, None), journal.framed("end", later_version=1)]
    journal.append(other, records)
    brought = bring_in(lambda *_: case.store, tmp_path)
    assert (brought.runs, brought.problems) == (1, [f"{other}: KeyError: 'dataset'"])
    assert other.exists()


def test_a_run_of_long_ago_that_comes_late_is_among_the_results(tmp_path: Path) -> None:
    case = short(tmp_path)
    case.store.start("another", {"seed": "1"}, {"nnexp.kind": "run"}).finish("FINISHED")
    assert load_runs(case.store.uri)["name"].tolist() == ["another"]
    assert bring_in(lambda *_: case.store, tmp_path) == (1, 0, [])
    assert load_runs(case.store.uri)["name"].tolist() == ["sgd, seed 0", "another"]
