"""The promises that statistics make, kept on made-up sweeps; benchmarks/calibration.py has the whole tables."""

from __future__ import annotations

import numpy as np
import pytest
import simulated
from scipy import stats

COMPARISONS = 2000


@pytest.mark.parametrize("kind", simulated.KINDS)
def test_methods_that_are_alike_seem_different_in_no_more_than_five_of_a_hundred_sweeps(kind):
    answers = simulated.alike(kind, np.random.default_rng(11), (COMPARISONS, 3, 5, 10))
    alarms = int(simulated.alarms(answers).sum())
    # What binomial noise alone exceeds once in a thousand.
    assert alarms <= stats.binom.ppf(0.999, COMPARISONS, 0.05)
    assert alarms > 0, "a test that never claims anything proves nothing"


@pytest.mark.parametrize("kind", ["normal", "skewed", "counted"])
def test_intervals_hold_the_truth_as_often_as_they_say(kind):
    repeats = 600
    found = simulated.coverage(kind, 1, 10, repeats, 400, np.random.default_rng(4))
    noise = 3.3 * np.sqrt(0.95 * 0.05 / repeats)
    for share in found:
        assert share == pytest.approx(0.95, abs=0.02 + noise)
    over = simulated.coverage(kind, 3, 10, repeats, 400, np.random.default_rng(5))
    for share in (over.mean, over.iqm, over.difference):
        assert share == pytest.approx(0.95, abs=0.02 + noise)
