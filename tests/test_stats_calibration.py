"""The promises that statistics make, kept on made-up sweeps; benchmarks/calibration.py has the whole tables."""

from __future__ import annotations

import limits
import numpy as np
import pytest
import simulated
from percentile_bootstrap import percentile_bootstrap
from scipy import stats

from nnexp.stats.intervals import median
from nnexp.stats.means import mean_of_means
from nnexp.stats.verdict import ENOUGH_RUNS, RARE

COMPARISONS = 2000
LEAST, MOST = 0.93, 0.97
"""Within two points of nominal."""

CELLS = [(kind, tasks, seeds) for kind in simulated.KINDS for tasks in (1, 3) for seeds in (5, 10, 20)]


def within(share: float, repeats: int) -> bool:
    """Whether a simulated coverage is within two points, but for what noise exceeds once in a thousand."""
    return bool(LEAST - noise(LEAST, repeats) <= share <= MOST + noise(MOST, repeats))


def noise(share: float, repeats: int) -> float:
    return float(3.3 * np.sqrt(share * (1 - share) / repeats))


@pytest.mark.parametrize("kind", simulated.KINDS)
def test_methods_that_are_alike_seem_different_in_no_more_than_five_of_a_hundred_sweeps(kind):
    answers = simulated.alike(kind, np.random.default_rng(11), (COMPARISONS, 3, 5, 10))
    alarms = int(simulated.alarms(answers).sum())
    # What binomial noise alone exceeds once in a thousand.
    assert alarms <= stats.binom.ppf(0.999, COMPARISONS, 0.05)
    assert alarms > 0, "a test that never claims anything proves nothing"


@pytest.mark.parametrize(("kind", "tasks", "seeds"), CELLS)
def test_the_intervals_of_means_hold_the_truth_as_often_as_they_say(kind, tasks, seeds):
    repeats = 20_000
    strata = simulated.answers(kind, tasks, seeds, repeats, np.random.default_rng(seeds))
    truth = simulated.true_values(kind, tasks)
    held = simulated.held(mean_of_means(list(strata)), truth.mean).mean()
    assert within(held, repeats) is ((kind, tasks, seeds, "mean") not in limits.UNATTAINABLE)
    if tasks == 1:
        assert within(simulated.held(median(strata[0]), truth.median).mean(), repeats)


@pytest.mark.parametrize("kind", simulated.KINDS)
def test_the_intervals_of_interquartile_means_and_of_a_median_over_tasks_do_so_too(kind):
    repeats = 4000
    one = simulated.coverage(kind, 1, 5, repeats, 300, np.random.default_rng(4))
    assert within(one.iqm, repeats) is ((kind, 1, 5, "iqm") not in limits.UNATTAINABLE)
    over = simulated.coverage(kind, 3, 5, repeats, 300, np.random.default_rng(5))
    assert within(over.iqm, repeats)
    assert within(over.median, repeats)


@pytest.mark.parametrize("kind", ["normal", "skewed", "counted"])
def test_the_intervals_of_paired_differences_do_so_too(kind):
    for tasks in (1, 3):
        assert within(simulated.difference_coverage(kind, tasks, 10, 600, np.random.default_rng(6)), 600)


def test_the_plain_bootstrap_of_five_runs_does_not():
    found = simulated.coverage("normal", 1, 5, 4000, 300, np.random.default_rng(4), percentile_bootstrap)
    assert found.mean < 0.86
    assert found.iqm < 0.92


def test_five_runs_of_which_each_may_be_stuck_have_no_interval_in_their_units_that_covers():
    # Of values of two kinds no interval in their units holds anything between where all five are of one kind.
    assert limits.two_valued(5, limits.STUCK) == pytest.approx(0.8295, abs=1e-4)
    fewest = next(n for n in range(2, 20) if limits.two_valued(n, limits.STUCK) >= LEAST)
    assert (fewest, limits.STUCK) == (ENOUGH_RUNS, RARE), "what the verdict says of few runs"


@pytest.mark.parametrize("name", ["mean", "iqm"])
def test_student_must_cover_normal_answers_too_often_to_cover_stuck_ones_often_enough(name):
    """With noise about the two values: no m +- c s is within two points for normal and stuck answers both."""
    assert ("stuck", 1, 5, name) in limits.UNATTAINABLE
    true = limits.stuck_values()[name]
    known = simulated.true_values("stuck", 1)
    assert getattr(known, name) == pytest.approx(true, abs=0.002)
    confidence = limits.needed(5, true / limits.NOISE)
    assert confidence > MOST
    at_most = stats.t.ppf((1 + MOST) / 2, 4)
    assert limits.reaching(5, true / limits.NOISE, at_most) < LEAST
    # The same by drawing: means of stuck answers covered by m +- c s, and normal ones as often as Student's says.
    reach = stats.t.ppf((1 + confidence) / 2, 4) / np.sqrt(5)
    (draws,) = simulated.answers("stuck", 1, 5, 40_000, np.random.default_rng(1))
    held = np.abs(draws.mean(-1) - true) <= reach * draws.std(-1, ddof=1)
    assert held.mean() <= LEAST + noise(LEAST, 40_000)


def test_the_median_of_five_has_the_most_that_order_statistics_can_give():
    assert 1 - 2 * 0.5**5 == 0.9375
    found = median(np.array([3.0, 1.0, 4.0, 1.5, 9.0]))
    assert (found.low, found.high) == (1.0, 9.0)
