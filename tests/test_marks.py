"""Marks and snapshots: log-spaced, the ends included."""

from __future__ import annotations

from itertools import islice, pairwise, takewhile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnexp.training.marks import log_spaced, mark_after, marks


def test_there_are_about_a_hundred_marks_to_ten_thousand():
    to = list(takewhile(lambda mark: mark <= 10_000, marks()))
    assert len(to) == 101
    assert to[0] == 0
    assert to[-1] == 10_000


def test_marks_increase():
    first = list(islice(marks(), 300))
    assert all(b > a for a, b in pairwise(first))
    assert list(islice(marks(7), 3)) == [0, 7, 14]


@given(st.sets(st.integers(1, 10**6), max_size=200), st.integers(2, 40))
def test_as_many_snapshots_as_wanted_with_both_ends(iterations, wanted):
    iterations = np.array([0, *sorted(iterations)])
    at = log_spaced(iterations, wanted)
    assert len(at) == min(wanted, len(iterations))
    assert len(set(at.tolist())) == len(at)
    assert (np.diff(at) > 0).all()
    assert at[0] == 0
    assert at[-1] == len(iterations) - 1


@pytest.mark.parametrize("per_decade", [1, 5, 10, 30, 1000])
def test_a_mark_is_the_first_whose_step_rounds_to_more(per_decade: int) -> None:
    for iteration in range(1, 3000, 7):
        step = 0
        while (mark := round(10 ** (step / per_decade))) <= iteration:
            step += 1
        assert mark_after(iteration, per_decade) == mark


def test_however_many_marks_a_decade_the_next_is_found_at_once() -> None:
    assert [mark_after(at, 10**15) for at in (0, 1, 2, 1000, 10**9)] == [1, 2, 3, 1001, 10**9 + 1]
