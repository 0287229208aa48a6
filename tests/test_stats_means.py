"""Equal means of answers of unlike shapes: whether it is seen, and what tests of means claim."""

from __future__ import annotations

import numpy as np
import pytest
from made_sweeps import made_sweep, of
from scipy import stats

from nnexp.stats import compare, judge
from nnexp.stats.equal_means import bounded_p, hall_p, shapes_differ
from nnexp.stats.permutation import sign_flip

REPEATS = 4000
NOISE = 3.3 * np.sqrt(0.05 * 0.95 / REPEATS)


def accuracies(n: int, repeats: int = REPEATS) -> np.ndarray:
    """Differences ``(repeats, n)`` of accuracies of mean 0.8, of which one method's are 0.4 in a fifth of runs."""
    rng = np.random.default_rng(n)
    even = rng.binomial(100, 0.8, (repeats, n)) / 100
    return np.asarray(even - np.where(rng.random((repeats, n)) < 0.2, 0.4, 0.9))


@pytest.mark.parametrize("n", [6, 10, 20])
def test_the_test_of_bounded_means_keeps_its_level_where_sign_flips_do_not(n):
    differences = accuracies(n)
    assert np.mean(bounded_p(differences) <= 0.05) <= 0.05 + NOISE
    assert np.mean(sign_flip(differences) <= 0.05) > 0.05 + NOISE


def test_the_test_of_bounded_means_finds_a_large_difference_and_knows_no_sign():
    differences = np.full(16, 0.5)
    assert bounded_p(differences) < 0.05
    assert bounded_p(-differences) == pytest.approx(float(bounded_p(differences)))
    assert bounded_p(np.zeros(16)) == 1
    assert bounded_p(5 * differences, 5.0) == pytest.approx(float(bounded_p(differences)))


def test_halls_test_is_students_without_skewness_and_nearer_to_its_level_with_it():
    even = np.array([-2.0, -1.0, 1.0, 2.0]) + 0.8
    s, m = even.std(ddof=1), even.mean()
    assert hall_p(even) == pytest.approx(2 * stats.t.sf(m / s * 2, 3))
    rng = np.random.default_rng(0)
    skewed = rng.normal(1, 0.3, (REPEATS, 20)) - rng.exponential(1, (REPEATS, 20))
    mine, flips = (np.mean(p <= 0.05) for p in (hall_p(skewed), sign_flip(skewed[:1500])))
    assert mine < flips
    assert mine < 0.08 + NOISE
    assert np.isnan(hall_p(np.ones(2)))
    assert hall_p(np.ones(5)) == 0
    assert hall_p(1e100 * even) == pytest.approx(float(hall_p(even)))


def test_a_larger_mean_is_surer_however_skewed_differences_are():
    # Of gradient descent and perturbation on ten seeds: better on each, by three standard deviations.
    losses = [-0.65, -0.46, -0.25, -0.54, -0.43, -0.58, -0.47, -0.47, -0.1, -0.42]
    assert hall_p(np.array(losses)) < 0.02
    skewed = np.random.default_rng(2).exponential(size=(200, 10))
    skewed -= skewed.mean(-1, keepdims=True)
    for sign in (1, -1):
        p = np.array([hall_p(sign * skewed + shift) for shift in np.linspace(1, 20, 40)])
        assert (np.diff(p, axis=0) <= 1e-12).all()


def test_shapes_are_said_to_differ_where_they_do_and_seldom_where_not():
    rng = np.random.default_rng(1)
    alike = [shapes_differ(*rng.normal(size=(2, 12))) for _ in range(400)]
    stuck = [shapes_differ(rng.normal(0.3, 0.05, 12), 1.0 * (rng.random(12) < 0.3)) for _ in range(100)]
    # Two looks at 5 % each.
    assert np.mean(alike) < 0.15
    assert np.mean(stuck) > 0.95
    assert not shapes_differ(np.ones(8), np.zeros(8))


def test_the_verdict_says_that_shapes_differ_and_what_a_test_of_means_gives():
    rng = np.random.default_rng(3)
    answers = np.stack([rng.normal(0.8, 0.01, 12), np.where(np.arange(12) < 2, 0.4, 0.88)])[None]
    runs, history = made_sweep(answers, ["a", "b"], measure="val_accuracy")
    found = judge(runs, history, measure="val_accuracy", axes=["iteration"])
    pair = of(found.comparisons["iteration"].overall)
    assert pair["shapes_differ"]
    assert pair["p_mean"] == pytest.approx(float(bounded_p(answers[0, 0] - answers[0, 1])))
    assert "The shapes of their answers differ, which affects p" in found.text
    assert "which holds for any shapes." in found.text
    assert "Tests: p is for the hypothesis that two methods are equal" in found.text
    plain = compare(*made_sweep(rng.normal(size=(1, 2, 12)), ["a", "b"]))
    assert not of(plain.overall)["shapes_differ"]
    assert "shapes of their answers differ" not in plain.verdict
