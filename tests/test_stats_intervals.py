"""Intervals and aggregates, against SciPy and what must hold for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from percentile_bootstrap import percentile_bootstrap
from scipy import stats

from nnexp.stats.aggregates import aggregate, aggregates, iqm
from nnexp.stats.intervals import median, median_level, student
from nnexp.stats.means import mean_of_means, median_of_means, welch

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
    assert np.isnan(plain.low) == np.isnan(plain.high) == (len(values) < 5)
    assert len(values) < 5 or plain.low <= plain.value <= plain.high
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
    half = median(np.array([1.0, 2.0, 3.0, np.inf, np.inf, np.inf]))
    assert (half.value, half.high) == (np.inf, np.inf)


@given(VALUES)
def test_a_means_interval_is_students_but_for_a_longer_tail_to_the_side_of_its_skewness(values):
    found, plain = mean_of_means([values]), student(values)
    close = {"rtol": 1e-9, "atol": 1e-9 * (1 + np.ptp(values))}
    assert found.value == pytest.approx(plain.value)
    assert found.low <= plain.low + close["atol"]
    assert found.high >= plain.high - close["atol"]
    if len(values) < 3 or np.ptp(values) == 0:
        np.testing.assert_allclose(found, plain, **close)
    elif stats.skew(values) > 1e-3:
        np.testing.assert_allclose(found.low, plain.low, **close)
        assert found.high > plain.high
    mirrored = mean_of_means([-values])
    np.testing.assert_allclose(mirrored[1:], (-found.high, -found.low), **close)


def test_the_longer_tail_is_the_expansion_of_students_t_in_a_part_of_the_skewness():
    values = np.random.default_rng(0).exponential(size=12)
    t, skewness = stats.t.ppf(0.975, 11), stats.skew(values, bias=False) / np.sqrt(12)
    expected = t + 0.6 * skewness * (2 * t**2 + 1) / 6
    error = values.std(ddof=1) / np.sqrt(12)
    assert (mean_of_means([values]).high - values.mean()) / error == pytest.approx(expected)
    # Two tasks of one spread count as two: a quarter of the part.
    pair = mean_of_means([values, values + 1])
    freedom = 2 * 13 - 2
    t = stats.t.ppf(0.975, min(freedom, 22))
    expected = t + 0.6 / 4 * skewness / np.sqrt(2) * (2 * t**2 + 1) / 6
    assert (pair.high - pair.value) / (error / np.sqrt(2)) == pytest.approx(expected)


@given(st.lists(st.integers(2, 9), min_size=1, max_size=4), st.integers(0, 1000))
def test_welchs_degrees_of_freedom_lie_between_those_of_one_sample_and_of_all(sizes, seed):
    variances = np.random.default_rng(seed).exponential(size=len(sizes))
    found = welch(variances, np.array(sizes))
    assert min(sizes) - 1 - 1e-9 <= found <= sum(sizes) - len(sizes) + 1e-9
    alone = welch(np.eye(len(sizes))[0], np.array(sizes))
    assert alone == pytest.approx(sizes[0] - 1)


def test_the_median_of_tasks_far_apart_has_the_middle_ones_interval():
    strata = [place + np.random.default_rng(n).normal(size=6) for n, place in enumerate((0, 1e3, 2e3))]
    found = median_of_means(strata, 0.95, 40_000, np.random.default_rng(0))
    np.testing.assert_allclose(found, student(strata[1]), rtol=1e-4)
    alike = [values - values.mean() for values in strata]
    near = median_of_means(alike, 0.95, 40_000, np.random.default_rng(0))
    assert near.high - near.low < 0.8 * np.median([np.ptp(student(values)[1:]) for values in alike])


@given(VALUES, st.floats(0.1, 10), NUMBERS)
def test_aggregates_move_with_the_values(values, scale, shift):
    strata = [values, values[::-1] ** 2 / 1e3, values + 1]

    def of(given: list[np.ndarray]) -> np.ndarray:
        return np.array(aggregate(given, 0.95, 50, np.random.default_rng(0)))

    plain, moved = of(strata), of([scale * values + shift for values in strata])
    size = scale * max(np.ptp(values) for values in strata) + abs(shift) + 1
    np.testing.assert_allclose(moved, scale * plain + shift, rtol=1e-6, atol=1e-6 * size)
    assert not (plain[:, 1] > plain[:, 0]).any()
    assert not (plain[:, 0] > plain[:, 2]).any()


@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 60), st.sampled_from([0.5, 0.95, 0.999]))
@example([np.array([0.0] * 14 + [43, 43, 12, 12, 12])], 50, 0.95)
def test_an_interval_holds_its_estimate_at_any_number_of_resamples(strata, resamples, confidence):
    for method in (aggregate, percentile_bootstrap):
        for found in method(strata, confidence, resamples, np.random.default_rng(0)):
            assert np.isnan(found.low) or found.low <= found.value <= found.high


def test_an_interval_of_the_bulk_and_of_few_far_values_holds_its_interquartile_mean():
    values = np.array([0.0] * 14 + [43, 43, 12, 12, 12])
    strata = [values, values[::-1] ** 2 / 1e3, values + 1]
    found = aggregate(strata, 0.95, 50, np.random.default_rng(0)).iqm
    assert found.value == pytest.approx(0.428690, abs=1e-6)
    assert found.low <= found.value <= found.high


def test_many_samples_at_once_are_the_same_as_one_by_one():
    strata = [np.random.default_rng(n).normal(size=(30, 4 + n)) for n in range(3)]
    together = mean_of_means(strata)
    for row in (0, 17, 29):
        alone = mean_of_means([values[row] for values in strata])
        np.testing.assert_allclose([end[row] for end in together], alone)
    np.testing.assert_allclose(np.array(median(strata[2]))[:, 4], median(strata[2][4]))
    shapes = [
        end.shape for estimate in aggregate(strata, 0.95, 40, np.random.default_rng(0)) for end in estimate
    ]
    assert shapes == [(30,)] * 9


def test_the_percentile_bootstrap_is_scipys():
    values = np.random.default_rng(0).lognormal(size=13)
    found = percentile_bootstrap([values], 0.95, 20_000, np.random.default_rng(1))
    for estimate, statistic in ((found.mean, np.mean), (found.median, np.median), (found.iqm, iqm)):
        theirs = stats.bootstrap(
            (values,), statistic, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2)
        ).confidence_interval
        np.testing.assert_allclose(estimate[1:], theirs, atol=0.02 * (theirs.high - theirs.low) + 1e-9)
    assert tuple(estimate.value for estimate in found) == aggregates([values])


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


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 13])
def test_few_values_have_plain_numbers_in_their_order(n):
    values = np.random.default_rng(n).normal(size=n)
    for strata in ([values], [values, values + 1], [values, values + 1, 2 * values]):
        for estimate in aggregate(strata, 0.95, 100, np.random.default_rng(0)):
            assert all(isinstance(number, float) for number in estimate)
            assert n < 5 or estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize(("n", "confidence", "level"), [
    (3, 0.95, np.nan), (4, 0.95, np.nan), (5, 0.95, 0.9375), (6, 0.95, 0.95), (5, 0.99, np.nan), (4, 0.8, 0.8),
    (7, 0.99, np.nan), (8, 0.99, 0.99),
])  # fmt: skip
def test_a_medians_interval_has_the_level_that_it_says_or_there_is_none(n, confidence, level):
    assert median_level(n, confidence) == pytest.approx(level, nan_ok=True)
    values = np.random.default_rng(n).normal(size=(40_000, n))
    found = median(values, confidence)
    if np.isnan(level):
        assert np.isnan(found.low).all()
        assert np.isnan(found.high).all()
    else:
        assert np.mean((found.low <= 0) & (found.high >= 0)) == pytest.approx(level, abs=0.01)


@pytest.mark.parametrize("tasks", [1, 3])
def test_an_interquartile_mean_of_fewer_than_five_runs_has_no_interval(tasks):
    few, five = ([np.random.default_rng(t).normal(size=n) for t in range(tasks)] for n in (4, 5))
    assert np.isnan(aggregate(few, 0.95, 100, np.random.default_rng(0)).iqm.low)
    assert np.isfinite(aggregate(five, 0.95, 100, np.random.default_rng(0)).iqm.low)
