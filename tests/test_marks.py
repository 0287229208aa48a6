"""Marks and snapshots: log-spaced, the ends included."""

from __future__ import annotations

from itertools import islice, pairwise, takewhile

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnexp.training.marks import log_spaced, marks


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
