"""Which sweep ``sweep.resume`` goes on with: the same one, whatever is in its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import here, runs

TINY = ("budget.iterations=5", "dataset.samples=4", "dataset.test_samples=2", "tracking=lean")


def sweep_id(place: Path) -> str:
    return str(runs(place, "sweep")[-1].data.tags["nnexp.sweep_id"])


def test_another_grid_is_another_sweep(tmp_path: Path) -> None:
    grid = "sweep.grid=[{optimizer:%s}]"
    assert here(tmp_path, "-m", grid % "random", "seed=0,1", *TINY).returncode == 0
    first = sweep_id(tmp_path)
    other = ("-m", grid % "sgd", "seed=0,1", *TINY)
    done = here(tmp_path, *other, "sweep.resume=true")
    assert done.returncode == 2
    assert done.stderr == (
        "nnexp: sweep.resume=true: expected an earlier start of the same sweep in experiment nnexp; the latest, "
        f"{first}, has other settings or another sweep.grid, and sweep.resume={first} adds this command's jobs to it\n"
    )
    assert len(runs(tmp_path)) == 2
    again = here(tmp_path, "-m", "seed=0,1", *TINY, grid % "random", "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert f"sweep {first}: 2 runs are recorded and skipped" in again.stdout
    assert "are added" not in again.stdout
    added = here(tmp_path, *other, f"sweep.resume={first}")
    assert added.returncode == 0, added.stderr
    said = f"sweep {first} has other settings or another grid; the jobs of this command are added to it"
    assert said in re.sub(r"\s+", " ", added.stdout)
    assert [run.data.tags["nnexp.method"] for run in runs(tmp_path)].count("sgd") == 2


NUMBERS = ",".join(f"[{at}.25]" for at in range(500))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (("hydra.job.name=a", "tracking.experiment=two words"), "tracking.experiment=two other"),
        (("tracking.experiment='two  words, \\'quoted\\''",), "tracking.experiment=quoted"),
        (
            ("dataset=points", "architecture=single_layer", "architecture.output=linear", "loss=squared_error",
             f"dataset.inputs=[{NUMBERS}]", f"dataset.targets=[{NUMBERS}]"),
            f"dataset.targets=[{NUMBERS[:-2]}6]]",
        ),
    ],
    ids=["space", "quotes", "long"],
)  # fmt: skip
def test_the_same_sweep_is_found_whatever_its_values(
    tmp_path: Path, text: tuple[str, ...], other: str
) -> None:
    common = ("-m", "optimizer=sgd", "budget.iterations=5", "tracking=lean")
    first = here(tmp_path, *common, *text)
    assert first.returncode == 0, first.stderr
    assert len(runs(tmp_path)) == 1
    again = here(tmp_path, *common, *text, "sweep.resume=true")
    assert again.returncode == 0, again.stderr
    assert "1 run is recorded and skipped" in again.stdout
    done = here(tmp_path, *common, *text[:-1], other, "sweep.resume=true")
    assert done.returncode == 2, done.stdout
    assert "expected an earlier start of the same sweep" in done.stderr
    assert len(runs(tmp_path)) == 1


def test_an_id_may_hold_any_character(tmp_path: Path) -> None:
    assert here(tmp_path, "-m", "optimizer=sgd", *TINY).returncode == 0
    done = here(tmp_path, "-m", "optimizer=sgd", *TINY, 'sweep.resume="it\'s"')
    assert done.returncode == 2
    assert done.stderr == "nnexp: sweep.resume=it's: expected a sweep's id in experiment nnexp\n"


def test_one_command_begins_a_sweep_and_goes_on_with_it(tmp_path: Path) -> None:
    command = ("-m", "optimizer=sgd", "seed=0,1", *TINY)
    for words in ("sweep.resume=auto", "sweep.resume=auto", "sweep.resume=latest"):
        done = here(tmp_path, *command, words)
        assert done.returncode == 0, done.stderr
        assert len(runs(tmp_path)) == 2
    assert f"sweep {sweep_id(tmp_path)}: 2 runs are recorded and skipped" in done.stdout
    # What other settings began is the latest too, and not what ``auto`` goes on with.
    assert here(tmp_path, "-m", "optimizer=random", "seed=0", *TINY, "sweep.resume=auto").returncode == 0
    assert len(runs(tmp_path, "sweep")) == 2
    refused = here(tmp_path, *command, "sweep.resume=true", "sweep.grid=[{seed:'0,1'}]")
    assert refused.returncode == 2
    assert f"sweep.resume={sweep_id(tmp_path)} adds" in refused.stderr
    # Nothing was begun, so there is nothing to advise.
    assert "Resume:" not in refused.stdout
