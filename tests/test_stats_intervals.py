"""Intervals and aggregates, against SciPy and what must hold for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nnexp.stats.aggregates import aggregate, iqm
from nnexp.stats.intervals import median, resample, student, studentized

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
VALUES = st.integers(2, 25).flatmap(lambda n: arrays(np.float64, n, elements=NUMBERS))


@given(VALUES)
def test_students_interval_is_scipys(values):
    found = student(values)
    if np.ptp(values) > 0:
        low, high = stats.ttest_1samp(values, 0).confidence_interval()
        np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-9, atol=1e-9)


@given(VALUES)
def test_the_interquartile_mean_is_the_trimmed_mean(values):
    np.testing.assert_allclose(iqm(values), stats.trim_mean(values, 0.25), rtol=1e-12, atol=1e-12)


@given(VALUES, st.floats(0.1, 10), NUMBERS)
def test_a_medians_interval_moves_with_the_values(values, scale, shift):
    plain, moved = median(values), median(scale * values + shift)
    np.testing.assert_allclose(moved, scale * np.array(plain) + shift, rtol=1e-9, atol=1e-9)
    assert plain.low <= plain.value <= plain.high
    assert plain.value == pytest.approx(np.median(values))


def test_a_medians_interval_interpolates_order_statistics():
    # Hettmansperger and Sheather: between the second and third of ten, 97.9 % and 89.1 %.
    found = median(np.arange(10.0))
    coverage = 1 - 2 * stats.binom.cdf([1, 2], 10, 0.5)
    share = (coverage[0] - 0.95) / (coverage[0] - coverage[1])
    weight = 8 * share / (2 + 6 * share)
    assert found.low == pytest.approx(1 + weight)
    assert found.high == pytest.approx(8 - weight)


def test_unreached_values_make_a_median_infinite_and_no_nan():
    reached = np.array([1.0, 2.0, 3.0, np.inf, np.inf, np.inf, np.inf])
    assert median(reached) == (np.inf, 1.0 + (median(np.arange(7.0)).low), np.inf)
    assert median(np.full(6, np.inf)).low == np.inf
    half = median(np.array([1.0, 2.0, np.inf, np.inf]))
    assert (half.value, half.high) == (np.inf, np.inf)


def test_the_bootstrap_t_interval_leans_to_the_long_tail():
    values = np.random.default_rng(0).exponential(size=12)
    rng = np.random.default_rng(1)
    found = studentized([values], resample([values], 4000, rng))
    plain = student(values)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value > plain.high - plain.value
    assert found.value - found.low < found.high - found.value


def test_equal_values_have_no_width():
    for estimate in aggregate([np.full(6, 3.0), np.full(6, 5.0)], 0.95, 200, np.random.default_rng(0)):
        assert estimate == pytest.approx((4, 4, 4))


def test_over_tasks_mean_and_median_are_of_task_means_and_the_iqm_of_all():
    strata = [np.array([1.0, 2, 9, 4, 5]), np.array([10.0, 20, 30, 40, 50]), np.array([0.0, 0, 0, 1, 0, 5])]
    found = aggregate(strata, 0.95, 500, np.random.default_rng(0))
    means = [values.mean() for values in strata]
    assert found.mean.value == pytest.approx(np.mean(means))
    assert found.median.value == pytest.approx(np.median(means))
    assert found.iqm.value == pytest.approx(stats.trim_mean(np.concatenate(strata), 0.25))


def test_the_same_seed_gives_the_same_interval():
    values = [np.random.default_rng(3).normal(size=8)]
    first, second = (aggregate(values, 0.95, 300, np.random.default_rng(5)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("n", [0, 1])
def test_one_value_has_no_interval(n):
    found = aggregate([np.ones(n)] if n else [], 0.95, 100, np.random.default_rng(0))
    for estimate in found:
        assert np.isnan(estimate.low)
        assert np.isnan(estimate.high)
