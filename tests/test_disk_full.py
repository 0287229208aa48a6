"""Disks that are full: a line that names the folder, and a store that says what the table says."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import LONG, here, in_store, made_store, nnexp, running, start, wait_for
from recorded import settings
from sqlalchemy import event
from test_recording import delivered, short

from nnexp.cli.summary import print_summary
from nnexp.cli.terminal import console
from nnexp.sweep.compose.jobs import compose
from nnexp.sweep.log_file import LogFile
from nnexp.sweep.recording.process import RecordingHere
from nnexp.sweep.recording.recording import Recording, lost
from nnexp.sweep.recording.spool import Spool
from nnexp.sweep.trial import Trial
from nnexp.sweep.view import Row
from nnexp.sweep.work import Work
from nnexp.tracking import journal
from nnexp.tracking.deliver import Delivery
from nnexp.tracking.locations import StoreFull
from nnexp.tracking.mlflow_store import Store
from nnexp.tracking.parent_file import TRIES

FULL = "OperationalError) database or disk is full"


def limit(store: Store) -> Callable[[bool], None]:
    """A switch by which SQLite takes a store's file for as long as it may be, or not any more."""
    most = [2**30]
    # SQLite's own limit of pages; it is never lower than what is there.
    event.listen(
        store.client._tracking_client.store.engine,
        "checkout",
        lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {most[0]}"),
    )

    def switch(full: bool) -> None:
        most[0] = 1 if full else 2**30

    return switch


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A file system of its own at ``place``; only root can have one."""
    place.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "nnexp", place], capture_output=True)
    if done.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> None:
    """Leave no room for another file."""
    with suppress(OSError), open(place / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)


def test_a_run_that_a_full_store_does_not_take_is_kept_and_failed_in_the_store(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = short(tmp_path)
    full = limit(case.store)
    told: list[tuple[str, dict[str, str]]] = []

    def tell(what: str, **said: str) -> None:
        told.append((what, said))

    delivery = Delivery(case.folder, lambda *_: case.store, tell)
    file = case.folder / "000000.run"
    delivery._go_on(file, journal.scan(file).records[:1])
    full(True)
    for _ in range(TRIES - 1):
        with pytest.raises(Exception, match="database or disk is full"):
            delivery.look()
    delivery.look()
    ((what, said),) = told
    assert (what, said["name"]) == ("kept", "000000")
    assert FULL in said["why"]
    # Room comes back before the sweep ends.
    full(False)
    delivery._fail()
    (run,) = case.store.client.search_runs([case.store.experiment_id])
    assert (run.info.status, run.data.tags["nnexp.status"]) == ("FAILED", "failed")
    assert FULL in run.data.tags["nnexp.reason"]
    assert len(journal.read(file).made.rows.iteration) == len(case.made.rows.iteration)
    assert "Traceback" not in capfd.readouterr().err


def test_a_sweep_whose_end_the_store_does_not_take_has_failed(tmp_path: Path) -> None:
    class Silent:
        def say(self, line: str) -> None:
            said.append(line)

        def summary(self, *_: Any) -> None:
            pass

    said: list[str] = []
    store = Store.open(f"sqlite:///{tmp_path}/mlflow.db", "nnexp")
    full = limit(store)
    work: Any = Work(Silent(), [], 0)  # type: ignore[arg-type]
    work._home, work._parent = store, store.start_parent("sweep", {}, {})
    full(True)
    # Whatever is there takes no new value of this length.
    work._parent.run_id += "0"
    work.end()
    assert work.failed
    assert said[0].startswith("the sweep's parent run could not be finished: ")


def test_a_folder_of_artifacts_that_is_full_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "artifacts", "4k"):
        case = short(tmp_path)
        (told,) = delivered(case)
        assert f"No space left on device: '{tmp_path / 'artifacts'}'" in told[1]["why"]
        (run,) = case.store.client.search_runs([case.store.experiment_id])
        assert run.info.status == "FAILED"
    assert journal.read(tmp_path / "journal" / "000000.run").made.status == "finished"


def test_a_run_that_nobody_can_keep_ends_the_sweep(tmp_path: Path) -> None:
    (config,) = compose([["optimizer=sgd", "budget.iterations=50", "tracking=lean"]])
    job = Trial(0, config, [], tmp_path / "0" / "run.log", "code")
    with small_disk(tmp_path / "other", "4k"):
        spool = Spool(tmp_path / "other" / "spool")
        spool.make()
        fill(tmp_path / "other")
        recording = Recording(RecordingHere(), {journal.ENTRY: "token"}, spool, 1, {})
        made = lost(RuntimeError("no worker"))._replace(files={"a": b"0" * 9999})
        ((_, result),) = recording.take_all([(job, made)])
        # Also for workers, which look for a file.
        assert not list(spool.folder.iterdir())
        assert spool.stopped
    assert result.status == "failed"
    assert result.reason == f"not recorded and lost, because {tmp_path}/other/journal cannot be written"


def test_a_store_that_a_full_disk_has_no_room_for_is_no_bad_input(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    with small_disk(place, "300k"):
        with pytest.raises(StoreFull, match=rf"^{place}: the folder cannot be written \("):
            Store.open(f"sqlite:///{place}/mlflow.db", "nnexp")
        assert not (place / "mlflow.db").exists()


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_a_full_folder_of_jobs_is_one_line_that_names_it(tmp_path: Path, sweep: list[str]) -> None:
    with small_disk(tmp_path / "runs" / "hydra", "16k"):
        fill(tmp_path / "runs" / "hydra")
        done = here(tmp_path, *sweep, "seed=0")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.match(rf"nnexp: (the disk of )?({tmp_path}/)?runs", line)
    assert line.endswith("cannot be written (No space left on device)")


def test_a_log_that_cannot_be_written_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("full")
    log.propagate = False
    for place in ("/dev/full", "/proc/nowhere"):
        log.addHandler(LogFile(place, delay=True))
        for _ in range(3):
            log.warning("a line")
        log.handlers.pop().close()
    full, nowhere = capsys.readouterr().err.splitlines()
    assert full == "nnexp: /dev/full: cannot be written (No space left on device)"
    assert nowhere.startswith("nnexp: /proc/nowhere: cannot be written (")


def test_failures_of_one_reason_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    row = Row(
        0, "sgd", 0, "seed=0", "failed", {"loss": 0.5}, 1, 1, 0.1, "", "", "", "run.log", settings("sgd")
    )
    rows = [row._replace(reason=f"not recorded (full); its files are in {at}", job=at) for at in range(3)]
    print_summary(console(), [*rows, row._replace(reason="ValueError: other")], "", "")
    out = capsys.readouterr().out
    assert "failed: seed=0, and 2 more: not recorded (full); its files are in 0\n" in out
    assert "failed: seed=0: ValueError: other\n" in out


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_under_a_sweep_costs_what_could_not_be_written_and_is_resumed(
    tmp_path: Path, workers: int
) -> None:
    sweep = ("-m", "optimizer=random", "seed=range(0,4)", *LONG, f"hydra.launcher.n_jobs={workers}")
    with small_disk(tmp_path / "disk", "24m"):
        place = tmp_path / "disk"
        made_store(place)
        process = start(place, *sweep)
        wait_for(lambda: in_store(place, "select 1 from runs where status = 'FINISHED'") and running(place))
        fill(place)
        out, error = process.communicate(timeout=300)
        assert process.returncode == 1, out + error
        assert "Traceback" not in out + error
        assert "database or disk is full" in out
        table = [line.split("│") for line in out.splitlines() if line.startswith("│")]
        states = {(cells[2].strip(), cells[-3].strip()) for cells in table}
        stored = in_store(
            place,
            "select p.value, lower(status) from runs join params p using (run_uuid) where p.key = 'seed'",
        )
        assert set(stored) <= states, out
        (place / "filler").unlink()
        again = nnexp(place, *sweep, "sweep.resume=true")
        assert again.returncode == 0, again.stdout + again.stderr
        kept = "select status, count(*) from runs where lifecycle_stage = 'active' group by status"
        assert in_store(place, kept) == [("FINISHED", 5)]
        history = list(place.glob("runs/artifacts/*/artifacts/history.parquet"))
        assert len(history) >= 4
        assert all(len(pd.read_parquet(file)) for file in history)
