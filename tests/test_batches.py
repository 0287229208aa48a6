"""Mini-batches: each sample once an epoch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnexp.data.batches import Batches


@given(samples=st.integers(1, 50), data=st.data())
def test_an_epoch_has_each_sample_once(samples, data):
    size = data.draw(st.integers(1, samples))
    batches = Batches([np.random.default_rng(seed) for seed in (0, 1)], samples, size)
    for _ in range(2):
        epoch = np.concatenate([batches.next() for _ in range(-(-samples // size))], axis=1)
        np.testing.assert_array_equal(np.sort(epoch, axis=1), [range(samples)] * 2)


def test_a_run_has_the_same_batches_whatever_runs_beside_it():
    together = Batches([np.random.default_rng(seed) for seed in range(3)], 20, 6)
    alone = Batches([np.random.default_rng(1)], 20, 6)
    for _ in range(9):
        np.testing.assert_array_equal(together.next()[1], alone.next()[0])
