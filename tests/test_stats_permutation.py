"""Sign-flip tests, Holm's correction, effects and power, against SciPy, definitions and simulation."""

from __future__ import annotations

import numpy as np
import pytest
import simulated
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from nnexp.stats.effects import cliffs_delta, probability_better
from nnexp.stats.holm import holm
from nnexp.stats.pairs import paired_interval
from nnexp.stats.permutation import sign_flip, sign_flip_interval
from nnexp.stats.power import fewest_seeds, power, seeds_needed

NUMBERS = st.integers(-20, 20).map(float)
PROBABILITIES = st.floats(0, 1)


def scipys(differences: np.ndarray, resamples: int = 2**13) -> float:
    found = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


@given(st.integers(2, 8).flatmap(lambda n: arrays(np.float64, n, elements=NUMBERS)))
def test_exact_p_is_scipys_and_zeros_do_not_matter(differences):
    assert sign_flip(differences) == pytest.approx(scipys(differences))
    assert sign_flip(np.append(differences, [0.0, 0.0])) == pytest.approx(float(sign_flip(differences)))


def test_random_patterns_agree_with_scipy_and_never_give_zero():
    rng = np.random.default_rng(2)
    for effect in (0.0, 0.4):
        differences = rng.normal(effect, 1, 40)
        assert float(sign_flip(differences)) == pytest.approx(scipys(differences, 20_000), abs=0.02)
    assert float(sign_flip(np.ones(40), draws=1000)) == pytest.approx(1 / 1001)


def test_rounding_does_not_make_equal_sums_different():
    differences = np.array([0.1, 0.2, 0.3, 0.4, 0.7, 0.3, 0.1])
    assert sign_flip(differences) == sign_flip(np.round(10 * differences))


def test_rows_are_tested_one_by_one():
    rows = np.random.default_rng(0).normal(size=(2, 3, 7))
    assert sign_flip(rows).shape == (2, 3)
    assert sign_flip(rows)[1, 2] == sign_flip(rows[1, 2])


@given(st.integers(6, 11), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_interval_holds_the_shifts_that_are_not_rejected(n, seed, effect):
    differences = np.random.default_rng(seed).normal(effect, 1, n)
    low, high = sign_flip_interval(differences)
    inside = [low + 1e-6, (low + high) / 2, high - 1e-6]
    outside = [low - 1e-6, high + 1e-6]
    assert all(sign_flip(differences - shift) > 0.05 for shift in inside)
    assert all(sign_flip(differences - shift) <= 0.05 for shift in outside)


def test_five_pairs_have_no_interval_as_signs_give_none():
    differences = np.random.default_rng(0).normal(1, 1, 5)
    assert sign_flip_interval(differences) == (-np.inf, np.inf)
    found = paired_interval(differences)
    assert found.value == pytest.approx(differences.mean())
    assert np.isnan([found.low, found.high]).all()


@given(
    st.integers(2, 45).flatmap(lambda n: arrays(np.float64, n, elements=st.integers(-5, 9).map(float))),
    st.sampled_from([0.0, 0.1, 1 / 3, 1e6]),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_an_interval_leaves_out_0_where_p_is_small_and_nowhere_else(differences, offset, confidence):
    differences = differences + offset
    found, p = paired_interval(differences, confidence), float(sign_flip(differences))
    if np.isnan(found.low):
        assert p > 1 - confidence
    else:
        assert (not found.low <= 0 <= found.high) is (p <= 1 - confidence + 1e-12)
        assert found.low <= found.value <= found.high


def test_many_pairs_have_an_interval_from_random_subsets():
    differences = np.random.default_rng(1).normal(0.3, 1, 60)
    found = sign_flip_interval(differences)
    np.testing.assert_allclose(found, stats.ttest_1samp(differences, 0).confidence_interval(), atol=0.03)


@given(arrays(np.float64, st.integers(1, 12), elements=PROBABILITIES))
def test_holm_is_its_definition(p):
    order = np.argsort(p, kind="stable")
    expected, highest = np.empty(len(p)), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        expected[place] = highest
    np.testing.assert_allclose(holm(p), expected)


def test_holm_counts_no_test_that_was_not_made():
    found = holm(np.array([0.01, np.nan, 0.04]))
    np.testing.assert_allclose(found, [0.02, np.nan, 0.04])


@given(
    arrays(np.float64, st.integers(1, 12), elements=NUMBERS),
    arrays(np.float64, st.integers(1, 12), elements=NUMBERS),
)
def test_cliffs_delta_is_that_of_mann_and_whitney(a, b):
    above = stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))
    assert cliffs_delta(a, b) == pytest.approx(1 - 2 * above)


def test_ties_count_half_and_diverged_runs_lose():
    assert probability_better(np.array([1.0, 2, 3, np.inf]), np.array([2.0, 2, 1, 5])) == pytest.approx(0.375)


@pytest.mark.parametrize(("effect", "seeds", "alpha"), [(2.0, 9, 0.005), (0.8, 14, 0.05), (0.7, 20, 0.01)])
def test_planted_effects_are_found_with_the_computed_power(effect, seeds, alpha):
    comparisons = 3000
    seen = simulated.rejections(effect, seeds, comparisons, alpha, np.random.default_rng(seeds))
    noise = 3 * np.sqrt(0.25 / comparisons)
    assert power(effect, seeds, alpha) == pytest.approx(seen, abs=noise + 0.02)


def test_seeds_needed_are_the_fewest():
    for effect in (0.3, 0.6, 1.2, 3.0):
        n = int(seeds_needed(effect, 0.05))
        assert power(effect, n, 0.05) >= 0.8
        assert n == fewest_seeds(0.05) or power(effect, n - 1, 0.05) < 0.8
    assert seeds_needed(1e-6) == np.inf
    assert seeds_needed(np.inf) == 6
    assert np.isnan(seeds_needed(np.nan))


@pytest.mark.parametrize("seeds", [8, 13, 30, 199, 200, 5000])
def test_power_is_a_number_that_grows_with_the_effect(seeds):
    found = [power(effect, seeds, 0.01) for effect in np.linspace(0, 6, 100)]
    assert found[0] == pytest.approx(0.01, abs=0.006)
    # Up to twelve seeds power is simulated, with some noise.
    assert min(np.diff(found)) >= -2e-3
    assert found[-1] == pytest.approx(1, abs=1e-3)
