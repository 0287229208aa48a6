"""A longer budget trains what is missing: runs go on from the ends of shorter ones."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import here, runs
from whole_runs import assert_whole, config_of

from nnexp import testing
from nnexp.config.schema import from_mapping
from nnexp.network import BatchNorm, Dense, Dropout, Layers
from nnexp.optim import SGD, Adam, Annealing, EvolutionStrategy, RandomPerturbation, RandomSearch
from nnexp.optim.schedules import Step
from nnexp.testing import SMALL
from nnexp.training import Budget, Group, Run, RunSettings, train
from nnexp.training.packed import pack, unpack
from nnexp.training.prepare import prepare_group

METHODS: dict[str, dict[str, Any]] = {
    "layers": {
        "architecture": Layers(layers=[Dense(6), BatchNorm(), Dropout(0.2), Dense(3)]),
        "optimizer": SGD(0.1, 0.9, batch_size=8),
    },
    "adam": {"optimizer": Adam(0.05, schedule=Step(every=7), average=0.9)},
    "annealing": {"optimizer": Annealing()},
    "es, cut in a generation": {"optimizer": EvolutionStrategy(population=9)},
    "random": {"optimizer": RandomSearch()},
    "one candidate at a time": {"optimizer": RandomPerturbation(0.1, block=1)},
}


def ends(settings: list[RunSettings]) -> list[Any]:
    """Where runs are when their budgets are spent, as a file has it."""
    group = Group(prepare_group((one, None, 20) for one in settings), keep_ends=True)
    for _ in group.train():
        pass
    file = io.BytesIO()
    pack([run.end for run in group.runs], file)
    file.seek(0)
    found: list[Any] = unpack(file)
    return found


def longer(settings: list[RunSettings], budgets: list[Budget]) -> list[Run]:
    wanted = [replace(one, budget=budget) for one, budget in zip(settings, budgets, strict=True)]
    saved = ends(settings)
    group = Group(prepare_group((one, None, 20) for one in wanted), saved)
    assert [run.iterations for run in group.runs] == [one.budget.iterations for one in settings]
    for _ in group.train():
        pass
    return group.runs


@pytest.mark.parametrize("changes", METHODS.values(), ids=METHODS)
def test_it_has_the_bits_of_one_go(changes: dict[str, Any]) -> None:
    settings = [
        replace(SMALL, seed=seed, budget=Budget(iterations=20 + 3 * seed), **changes) for seed in range(3)
    ]
    # Of one the budget stays as long.
    budgets = [Budget(iterations=50), Budget(iterations=23), Budget(iterations=61)]
    for run, budget in zip(longer(settings, budgets), budgets, strict=True):
        (whole,) = train(replace(run.prepared.settings, budget=budget))
        testing._equal(run, whole, "in one go")


def test_a_search_in_blocks_takes_the_same_way() -> None:
    """A budget cuts its last block, and how many candidates are scored in vain depends on blocks."""
    settings = [replace(SMALL, optimizer=RandomPerturbation(0.1), budget=Budget(iterations=99))]
    (run,) = longer(settings, [Budget(iterations=400)])
    (whole,) = train(run.prepared.settings)
    np.testing.assert_array_equal(run.history.loss, whole.history.loss)
    assert run.improvements == whole.improvements


def test_a_run_that_ended_for_another_reason_leaves_none() -> None:
    assert ends([replace(SMALL, budget=Budget(iterations=60, patience=5))]) == [None]


SWEEP = (
    *(
        "-m",
        "sweep.grid=[{optimizer: adam}, {optimizer: annealing}, {optimizer: sgd, optimizer.schedule: cosine}]",
    ),
    *("dataset.samples=10", "dataset.test_samples=4", "architecture.hidden=[4]"),
    *("tracking=lean", "tracking.keep_state=true", "hydra.launcher.n_jobs=1"),
)


def test_a_sweep_trains_the_second_half_alone(tmp_path: Path) -> None:
    assert here(tmp_path, *SWEEP, "budget.iterations=40").returncode == 0
    done = here(tmp_path, *SWEEP, "budget.iterations=80", "sweep.resume=latest")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "2 runs continue from checkpoints" in said
    # A rate that is zero after 80 updates has been another one from the first on.
    assert "1 run starts from the beginning: optimizer.schedule=cosine depends on the budget's length" in said
    found = [run for run in runs(tmp_path) if run.data.params["budget.iterations"] == "80"]
    assert len(found) == 3
    for run in found:
        begun = None if run.data.params["optimizer.name"] == "sgd" else "40"
        assert run.data.tags.get("nnexp.continued") == begun
        (whole,) = train(from_mapping(config_of(run)))
        assert_whole(tmp_path, run, whole)


SINGLE = ("optimizer=adam", *SWEEP[2:6], "tracking.keep_state=true")


def test_a_single_run_trains_the_second_half_alone(tmp_path: Path) -> None:
    assert here(tmp_path, *SINGLE, "budget.iterations=40").returncode == 0
    (first,) = runs(tmp_path)
    for at, words in ((80, "resume=latest"), (120, f"resume={first.info.run_id}")):
        done = here(tmp_path, *SINGLE, f"budget.iterations={at}", words)
        assert done.returncode == 0, done.stderr
        assert "the run continues from iteration 40" in done.stdout
        # Budgets are not mixed: the shorter run stays beside the longer one.
        run = next(run for run in runs(tmp_path) if run.data.params["budget.iterations"] == str(at))
        assert run.data.tags["nnexp.continued"] == "40"
        assert run.data.tags["nnexp.resumes"] == first.info.run_id
        (whole,) = train(from_mapping(config_of(run)))
        assert_whole(tmp_path, run, whole)
    assert len(runs(tmp_path)) == 3
    again = here(tmp_path, *SINGLE, "budget.iterations=80", "resume=latest")
    assert "is already recorded and has finished" in again.stdout
    shorter = here(tmp_path, *SINGLE, "budget.iterations=20", f"resume={first.info.run_id}")
    assert (shorter.returncode, len(shorter.stderr.splitlines())) == (2, 1)
    assert "or only a longer budget if it has finished" in shorter.stderr


def test_a_single_run_that_depends_on_the_length_begins_anew(tmp_path: Path) -> None:
    words = (*SINGLE, "optimizer.schedule=cosine")
    assert here(tmp_path, *words, "budget.iterations=40").returncode == 0
    done = here(tmp_path, *words, "budget.iterations=80", "resume=latest")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "1 run starts from the beginning: optimizer.schedule=cosine depends on the budget's length" in said
    assert [run.data.tags.get("nnexp.continued") for run in runs(tmp_path)] == [None, None]
