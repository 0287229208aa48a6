"""Checkpoints: what is saved of runs between two blocks of training, and how they go on from there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from memory_store import MemoryStore

from nnexp import testing
from nnexp.data import Spiral
from nnexp.network import MLP, BatchNorm, Dense, Dropout, Layers
from nnexp.optim import SGD, Adam, RandomPerturbation, RandomSearch
from nnexp.optim.schedules import OneCycle
from nnexp.sweep import checkpoints
from nnexp.testing import SMALL, check_method
from nnexp.training import Budget, Group, Run, RunSettings
from nnexp.training.checkpoint import Checkpoint, Key, find, go_on
from nnexp.training.prepare import Prepared, prepare_group

BASE = replace(SMALL, dataset=Spiral(samples=11, test_samples=4))


def prepared(settings: Sequence[RunSettings]) -> list[Prepared]:
    return prepare_group((one, None, 20) for one in settings)


def keys(settings: Sequence[RunSettings]) -> list[Key]:
    return [Key(f"{one.seed}", "code", None) for one in settings]


def stopped(folder: Path, settings: Sequence[RunSettings], after: int) -> Group:
    """A group that has a checkpoint in the folder, at the first block from an iteration on, and went on for a while."""
    group = Group(prepared(settings), span=1)
    checkpoint = Checkpoint(folder, group, keys(settings), 30.0)
    blocks = group.blocks()
    for _ in blocks:
        if max(run.iterations for run in group.runs) >= after:
            break
    checkpoint.write()
    next(blocks, None)
    return group


def finished(folder: Path, settings: Sequence[RunSettings]) -> list[Run]:
    states, damaged = find(folder)
    assert not damaged
    saved = [states[key] for key in keys(settings)]
    group = go_on(lambda: prepared(settings), saved)
    assert [run.iterations for run in group.runs] == [state["iteration"] for state in saved]
    for _ in group.train():
        pass
    return group.runs


def assert_equal(runs: Sequence[Run], settings: Sequence[RunSettings]) -> None:
    for run, whole in zip(runs, testing._trained(settings), strict=True):
        testing._equal(run, whole, "that nobody stopped")


def variants(**changes: Any) -> list[RunSettings]:
    return [replace(BASE, seed=seed, **changes) for seed in range(3)]


CASES = {
    "batches, schedule, average": variants(
        optimizer=Adam(0.05, batch_size=7, schedule=OneCycle(warmup=3), average=0.9, weight_decay=0.01)
    ),
    "layers": variants(
        architecture=Layers(layers=[Dense(6), BatchNorm(), Dropout(0.2), Dense(3)]),
        optimizer=SGD(0.1, 0.9, batch_size=8),
    ),
    "patience": variants(optimizer=SGD(0.5), budget=Budget(iterations=200, patience=30)),
    "diverges": variants(optimizer=SGD(1e20)),
    "notebook": variants(
        streams="notebook", architecture=MLP(hidden=[4], init_scale=0.05), optimizer=RandomPerturbation(0.1)
    ),
    "unlike budgets": [replace(one, budget=Budget(iterations=15 + 20 * one.seed)) for one in variants()],
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_each_run_of_a_group_goes_on_alone_with_the_bits_of_an_undisturbed_one(
    tmp_path: Path, settings: list[RunSettings]
) -> None:
    stopped(tmp_path, settings, 20)
    states, _ = find(tmp_path)
    for one in settings:
        if keys([one])[0] in states:  # a search begins when the one before it has ended
            assert_equal(finished(tmp_path, [one]), [one])


def test_runs_of_two_groups_go_on_in_one(tmp_path: Path) -> None:
    settings = variants(optimizer=SGD(0.5, batch_size=5))
    stopped(tmp_path, settings[:1], 30)
    stopped(tmp_path, settings[1:], 12)
    assert_equal(finished(tmp_path, settings), settings)


def test_a_run_with_two_checkpoints_goes_on_from_where_it_was_furthest(tmp_path: Path) -> None:
    (one,) = settings = variants()[:1]
    for after in (10, 30, 20):
        stopped(tmp_path, settings, after)
    states, _ = find(tmp_path)
    assert states[keys([one])[0]]["iteration"] >= 30


def test_an_ended_run_is_there_whole(tmp_path: Path) -> None:
    settings = [replace(one, budget=Budget(iterations=9 + 50 * one.seed)) for one in variants()]
    stopped(tmp_path, settings, 30)
    runs = finished(tmp_path, settings[:1])
    assert runs[0].ended
    assert_equal(runs, settings[:1])


def test_rows_are_given_anew(tmp_path: Path) -> None:
    settings = variants()[:1]
    stopped(tmp_path, settings, 20)
    states, _ = find(tmp_path)
    group = go_on(lambda: prepared(settings), [states[keys(settings)[0]]])
    iterations = np.concatenate([rows.iteration for parts in group.train() for _, rows in parts])
    np.testing.assert_array_equal(iterations, group.runs[0].history.iteration)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_damaged_checkpoint_is_named_and_no_other_suffers(tmp_path: Path, place: float) -> None:
    settings = variants()
    stopped(tmp_path, settings[:1], 20)
    (file,) = tmp_path.glob("*.npz")
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1
    file.write_bytes(content)
    stopped(tmp_path, settings[1:], 20)
    (tmp_path / "x.npz").write_bytes(content[:1000])
    states, damaged = find(tmp_path)
    assert set(states) == set(keys(settings[1:]))
    assert len(damaged) == 2
    assert any(line.startswith(f"{file}: damaged (") for line in damaged)


def test_one_that_does_not_fit_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (one,) = settings = variants()[:1]
    stopped(tmp_path, settings, 20)
    states, _ = find(tmp_path)
    other = replace(one, architecture=MLP(hidden=[9]))
    group = go_on(lambda: prepared([other]), list(states.values()))
    assert group.runs[0].iterations == 0
    assert "does not fit its runs" in caplog.text
    for _ in group.train():
        pass
    assert_equal(group.runs, [other])


def test_it_is_written_at_its_moments_and_removed(tmp_path: Path) -> None:
    group = Group(prepared([replace(BASE, budget=Budget(iterations=10_000))]), span=1)
    blocks = group.blocks()
    next(blocks)
    for seconds in (None, 0, 1e9):
        Checkpoint(tmp_path, group, keys([BASE]), seconds).look()
        assert not list(tmp_path.iterdir())
    checkpoint = Checkpoint(tmp_path, group, keys([BASE]), 1e-9)
    checkpoint.look()
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    # What writing took may come again only after fifty times as long.
    checkpoint.look()
    assert file.stat().st_mtime_ns == before
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_a_copy_that_is_cut_short_leaves_no_half_of_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, (there, folder) = variants()[:1], (tmp_path / "there", tmp_path / "here")
    stopped(there, settings, 20)

    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.move(str(there), folder, MemoryStore().start("", {}, {}))
    monkeypatch.undo()
    assert find(folder) == ({}, [])
    for _ in range(2):
        checkpoints.move(str(there), folder, MemoryStore().start("", {}, {}))
        assert list(find(folder)[0]) == keys(settings)
        there.mkdir(exist_ok=True)
    checkpoints.move(str(folder), folder, MemoryStore().start("", {}, {}))
    assert list(find(folder)[0]) == keys(settings)


def test_a_folder_that_cannot_be_written_ends_no_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    group = Group(prepared([BASE]))
    next(group.blocks())
    Checkpoint(tmp_path / "file" / "x", group, keys([BASE]), 1e-9).look()
    assert "cannot be written" in caplog.text


class _Elsewhere:
    """Remembers what no state shows."""

    count = 0


@dataclass(frozen=True)
class _Hidden(RandomSearch):
    """Its candidates depend on how often this object was asked since it was made."""

    def init(self, theta: Any, loss: float, draws: Any) -> Any:
        object.__setattr__(self, "asked", 0)
        return super().init(theta, loss, draws)

    def ask(self, state: Any, limit: int) -> Any:
        object.__setattr__(self, "asked", self.asked + 1)  # type: ignore[attr-defined]
        return super().ask(state, min(limit, 3)) * self.asked  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Unsaved(RandomSearch):
    """Its state holds an object of a class that says nothing of how it is saved."""

    def init(self, theta: Any, loss: float, draws: Any) -> Any:
        return super().init(theta, loss, draws)._replace(memory=(draws.normals, _Elsewhere()))

    def ask(self, state: Any, limit: int) -> Any:
        return super().ask(state._replace(memory=state.memory[0]), limit)

    def tell(self, state: Any, candidates: Any, loss: Any) -> Any:
        after = super().tell(state._replace(memory=state.memory[0]), candidates, loss)
        return after._replace(memory=state.memory)


def test_a_method_that_keeps_its_state_elsewhere_breaks_the_contract() -> None:
    with pytest.raises(AssertionError, match="stopped and resumed"):
        check_method(_Hidden())


def test_a_state_that_cannot_be_saved_is_said_and_costs_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    group = Group(prepared([replace(BASE, optimizer=_Unsaved(block=3))]), span=1)
    checkpoint = Checkpoint(tmp_path, group, keys([BASE]), 1e-9)
    for _ in group.blocks():
        checkpoint.look()
    assert group.runs[0].ended
    assert "_Elsewhere; expected arrays, numbers and named tuples of them" in caplog.text
    assert not list(tmp_path.iterdir())
