"""What commands leave that are killed before their store has it: the next command finds and delivers it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from commands import SMALL, here, made_store, recorders, runs, start, wait_for
from test_recording import short

from nnexp.config.schema import Sweep
from nnexp.sweep.identity import KEY, sweep_key
from nnexp.tracking import journal
from nnexp.tracking.journal import Beginning
from nnexp.tracking.left import alone, begin_parent, in_use, locked

SWEEP = ("-m", "optimizer=random", "seed=0,1", "hydra.launcher.n_jobs=1", *SMALL)


def parents(place: Path) -> list[str]:
    return [run.info.status for run in runs(place, "sweep")]


def killed_before_its_store_has_it(place: Path, trained: int) -> None:
    """Begin a sweep, and kill it and its recorder when so many runs of its journal have ended."""
    process = start(place, *SWEEP)
    wait_for(lambda: recorders(process.pid))
    (recorder,) = recorders(process.pid)
    os.kill(recorder, signal.SIGSTOP)
    where = "runs/hydra/*/*/journal"
    wait_for(lambda: list(place.glob(f"{where}/{journal.PARENT}")))
    wait_for(lambda: sum(map(journal.has_ended, place.glob(f"{where}/*.run"))) >= trained)
    process.kill()
    os.kill(recorder, signal.SIGKILL)
    process.communicate()


def whole(place: Path) -> None:
    assert parents(place) == ["FINISHED"]
    assert [run.info.status for run in runs(place)] == ["FINISHED"] * 2
    assert not list(place.rglob("journal"))
    assert not list((place / "runs").glob(".begins*"))


def ended(*processes: subprocess.Popen[str]) -> list[Any]:
    said = [process.communicate(timeout=180) for process in processes]
    return [(process.returncode, *words) for process, words in zip(processes, said, strict=True)]


@pytest.mark.soak
@pytest.mark.parametrize("begun", [True, False], ids=["begun", "not begun"])
def test_two_that_begin_or_go_on_at_once_have_one_sweep(tmp_path: Path, begun: bool) -> None:
    if begun:
        killed_before_its_store_has_it(tmp_path, 0)
        # Not even the store was made.
        assert not (tmp_path / "runs" / "mlflow.db").exists()
    both = ended(*(start(tmp_path, *SWEEP, "sweep.resume=auto") for _ in range(2)))
    # Who came second was refused, or found all of it there.
    assert min(code for code, *_ in both) == 0, both
    whole(tmp_path)


def test_the_next_run_brings_in_what_a_killed_sweep_left(tmp_path: Path) -> None:
    made_store(tmp_path)
    killed_before_its_store_has_it(tmp_path, 2)
    done = here(tmp_path, "optimizer=sgd", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "2 runs of earlier commands recorded" in done.stdout
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 3
    assert parents(tmp_path) == ["KILLED"]
    assert not list(tmp_path.rglob("journal"))


def test_a_sweep_that_its_store_does_not_have_yet_belongs_to_its_process(tmp_path: Path) -> None:
    folder, uri = tmp_path / "runs/hydra/day/time/journal", f"sqlite:///{tmp_path}/runs/mlflow.db"
    begin = Beginning("one", {}, {"nnexp.sweep_id": "one", KEY: sweep_key(SWEEP[1:], Sweep())}, 1)
    said = {"uri": None, "store": uri, "experiment": "nnexp", "begin": begin, "process": "here:1"}
    number = begin_parent(folder, journal.framed("begin", b"", **said))
    assert in_use(folder)
    refused = here(tmp_path, *SWEEP, "sweep.resume=auto")
    assert (refused.returncode, refused.stderr) == (
        2, "nnexp: sweep.resume=one: expected a sweep that has ended; here:1 still works on it\n",
    )  # fmt: skip
    assert not parents(tmp_path)
    os.close(number)
    assert not in_use(folder)
    assert here(tmp_path, *SWEEP, "sweep.resume=auto").returncode == 0
    whole(tmp_path)


def test_one_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    now, most = [0], [0]

    def enter() -> None:
        for _ in range(100):
            with alone("one"):
                now[0] += 1
                most[0] = max(most[0], now[0])
                now[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not list((tmp_path / "runs").iterdir())


def test_who_waits_for_a_journal_that_is_delivered_finds_it_gone(tmp_path: Path) -> None:
    folder, told = tmp_path / "journal", list[bool]()
    folder.mkdir()

    def wait() -> None:
        with locked(folder) as there:
            told.append(there)

    with locked(folder) as there:
        assert there
        waiting = threading.Thread(target=wait)
        waiting.start()
        (folder / ".lock").unlink()
        folder.rmdir()
    waiting.join()
    assert told == [False]


def test_a_report_brings_in_what_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nnexp.report.__main__ import main

    assert here(tmp_path, "-m", "optimizer=random,sgd", "seed=0,1", *SMALL).returncode == 0
    # As a run leaves it whose store did not take it.
    case = short(tmp_path / "other")
    place = tmp_path / "runs" / "hydra" / "day" / "time" / "journal"
    place.parent.mkdir(parents=True)
    case.folder.rename(place)
    monkeypatch.chdir(tmp_path)
    assert main(["--format", "csv", "--no-record"]) == 0
    assert "nnexp.report: 1 run of earlier commands recorded" in capsys.readouterr().err
    assert len(runs(tmp_path)) == 5
    assert not place.exists()


def test_of_two_commands_in_different_folders_that_start_the_same_sweep_one_remains(tmp_path: Path) -> None:
    from nnexp.tracking.locations import SweepTaken
    from nnexp.tracking.mlflow_store import Store

    made_store(tmp_path)
    told: dict[str, str] = {}

    def begin(name: str, started: int) -> None:
        store = Store.open(f"sqlite:///{tmp_path / 'runs' / 'mlflow.db'}", "nnexp")
        try:
            store.start_only_parent(KEY, name, {}, {KEY: "same", "nnexp.sweep_id": name}, started)
        except SweepTaken as error:
            told[name] = str(error)

    both = [threading.Thread(target=begin, args=one) for one in (("one", 2), ("two", 1))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    # One that had looked before the first existed, and was slow.
    begin("late", 0)
    assert list(told) == ["one", "late"]
    assert all("has started it at the same time; this command ends" in line for line in told.values())
    assert [run.data.tags["nnexp.sweep_id"] for run in runs(tmp_path, "sweep")] == ["two"]


def test_auto_starts_one_sweep_in_a_store_outside_its_folder(tmp_path: Path) -> None:
    uri = f"tracking.uri=sqlite:///{tmp_path / 'runs' / 'mlflow.db'}"
    for name, words in (("one", "FINISHED"), ("two", "2 runs are recorded and skipped")):
        folder = tmp_path / name
        folder.mkdir()
        done = here(folder, *SWEEP, uri, "sweep.resume=auto")
        assert done.returncode == 0, done.stderr
        assert words in done.stdout or parents(tmp_path) == [words]
    whole(tmp_path)
