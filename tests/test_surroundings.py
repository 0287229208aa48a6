"""Odd surroundings: outputs that nobody reads, names with signs in them, folders that cannot be written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands import SMALL, here, made_store, runs, sync

from nnexp.tracking import locations

TWO = ("-m", "optimizer=sgd", "seed=0,1", *SMALL, "hydra.launcher.n_jobs=1")


def shell(place: Path, words: str) -> int:
    # Outputs that are closed from the start are for the process that records to inherit; others cost one less.
    more = [] if words == ">&- 2>&-" else ["hydra/launcher=basic"]
    settings = [word for word in TWO if not (more and word.startswith("hydra.launcher"))]
    command = shlex.join([sys.executable, "-m", "nnexp.run", *settings, *more])
    return subprocess.run(
        ["bash", "-c", f"{command} {words}"], cwd=place, timeout=300, check=False
    ).returncode


@pytest.mark.parametrize("words", [">&-", ">&- 2>&-", "2>&1 | head -1; exit ${PIPESTATUS[0]}"])
def test_a_sweep_is_recorded_though_nobody_reads_what_it_says(tmp_path: Path, words: str) -> None:
    made_store(tmp_path)
    assert shell(tmp_path, words) == 0
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 2
    assert [run.info.status for run in runs(tmp_path, "sweep")] == ["FINISHED"]


@pytest.mark.parametrize("name", ["what?", "a%20b 100%", "it's two words"])
def test_the_store_is_below_the_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.mkdir()
    done = here(place, "-m", *SMALL)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (place / "runs" / "mlflow.db").is_file()
    assert len(list(place.glob("runs/artifacts/*/artifacts/history.parquet"))) == 1
    again = here(place, "-m", *SMALL, "sweep.resume=true")
    assert "1 run is recorded and skipped" in again.stdout
    # What a shell makes of the command is a store that is there.
    browse = locations.ui_command(f"sqlite:///{place}/runs/mlflow.db")
    assert browse in done.stdout
    *folder, uri = shlex.split(browse)
    assert Path(folder[1] if folder[0] == "cd" else "/", uri.removeprefix("sqlite:///")).is_file()


@pytest.mark.parametrize("more", [[], ["-m", "hydra/launcher=basic"]])
def test_the_store_is_below_the_folder_wherever_a_job_works(tmp_path: Path, more: list[str]) -> None:
    done = here(tmp_path, *more, *SMALL, "hydra.job.chdir=true")
    assert done.returncode == 0, done.stderr
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("mlflow.db")] == [Path("runs/mlflow.db")]
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"]


def test_artifacts_that_cannot_be_written_fail_their_runs_and_are_kept(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "artifacts").write_text("not a folder")
    done = here(tmp_path, *TWO)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert len(re.findall(r"^sgd +\d .* failed ", done.stdout, re.MULTILINE)) == 2
    assert "not recorded (NotADirectoryError: " in done.stdout
    assert (
        "could not be finished: StoreError: a part of the sweep's parent run is not recorded (NotADirectoryError: "
        in done.stdout
    )
    assert [run.info.status for run in runs(tmp_path)] == ["FAILED"] * 2
    (tmp_path / "runs" / "artifacts").unlink()
    assert "2 runs recorded" in sync(tmp_path).stdout
    assert [run.info.status for run in runs(tmp_path)] == ["FINISHED"] * 2
    assert not list(tmp_path.rglob("journal"))
    assert len(list(tmp_path.glob("runs/artifacts/*/artifacts/summary.csv"))) == 1


@pytest.mark.parametrize("arguments", [TWO, SMALL])
def test_a_folder_of_jobs_that_cannot_be_written_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "hydra").write_text("not a folder")
    done = here(tmp_path, *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "runs/hydra" in line
    assert "cannot be written" in line
