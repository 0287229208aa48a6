"""What rows cost: as many as are affordable, evaluated in pieces, their time recorded."""

from __future__ import annotations

from itertools import islice, takewhile

import numpy as np
import pytest

from nnexp.network import MLP
from nnexp.optim import SGD, RandomSearch
from nnexp.training import Budget, RunSettings, marks, problem, train
from nnexp.training.marks import affordable
from tests.layer_cases import Images


@pytest.mark.parametrize(("row", "step"), [(1000, 30), (10, 30), (35_000, 384)])
def test_measuring_takes_a_share_of_training(row: int, step: int) -> None:
    kept = np.array(
        list(takewhile(lambda mark: mark <= 20_000, affordable(marks.marks(), row, step, free=0)))
    )
    assert kept[0] == 0
    # Up to each row: the first is before any training.
    assert (np.arange(len(kept)) * row <= marks.SHARE * kept * step).all()
    assert set(kept) <= set(takewhile(lambda mark: mark <= 20_000, marks.marks()))


def test_small_runs_keep_every_mark() -> None:
    every = list(islice(marks.marks(), 200))
    assert list(islice(affordable(marks.marks(), 600, 900, work=387), 200)) == every


@pytest.mark.parametrize("optimizer", [SGD(learning_rate=0.1, batch_size=4), RandomSearch()])
def test_rows_are_thinned_by_samples_and_the_last_is_there(optimizer, monkeypatch) -> None:
    def rows(log_every: int | None = None) -> list[int]:
        one = RunSettings(
            dataset=Images(samples=40, tests=400), optimizer=optimizer, budget=Budget(iterations=95)
        )
        return train(one, log_every=log_every)[0].history.iteration.tolist()

    every = rows()
    assert len(every) > 40
    monkeypatch.setattr(marks, "FREE_WORK", 0)
    thinned = rows()
    assert thinned == rows()
    assert thinned[0] == 0
    assert thinned[-1] == 95
    assert 2 <= len(thinned) < 10
    # Rows that were asked for are all there.
    assert rows(log_every=1) == list(range(96))


def test_evaluation_in_pieces_is_evaluation(monkeypatch) -> None:
    one = RunSettings(
        architecture=MLP(hidden=[8]),
        dataset=Images(samples=50, tests=23),
        dtype="float64",
        budget=Budget(iterations=5),
    )
    whole = train(one)[0]
    monkeypatch.setattr(problem, "SAMPLE_BYTES", 700)
    pieces = train(one)[0]
    assert len(pieces.prepared.problem._held_out_pieces) > 1
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(getattr(pieces.history, name), getattr(whole.history, name), rtol=1e-12)


def test_the_time_of_measuring_is_known() -> None:
    (run,) = train(RunSettings(budget=Budget(iterations=50)))
    assert 0 < run.measuring_seconds < 10
