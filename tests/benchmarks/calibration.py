"""Are the statistics right? False alarms, coverage and power by simulation, and agreement with other packages.

    python tests/benchmarks/calibration.py [--quick] [--only TABLE]

Packages that are not installed (rliable, statsmodels) are said to be missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import limits
import simulated
from percentile_bootstrap import percentile_bootstrap

from nnexp.stats.aggregates import aggregate, iqm
from nnexp.stats.effects import cliffs_delta
from nnexp.stats.holm import holm
from nnexp.stats.permutation import sign_flip
from nnexp.stats.power import power
from nnexp.stats.ranks import critical_difference, ranks

METHODS, TASKS = 5, 3
SEEDS = (5, 10, 20)


def false_alarms(comparisons: int) -> None:
    print(f"\nFalse alarms: {comparisons:,} comparisons of {METHODS} methods that are alike, {TASKS} tasks")
    print("share with any difference claimed at 5 % over the family of 10 pairs")
    noise = 1.96 * np.sqrt(0.05 * 0.95 / comparisons)
    print(
        f"{'answers':12}"
        + "".join(f"{f'{seeds} seeds':>10}" for seeds in SEEDS)
        + f"   (noise +-{noise:.1%})"
    )
    for kind in simulated.KINDS:
        shares = [
            simulated.alarms(
                simulated.alike(kind, np.random.default_rng(seeds), (comparisons, TASKS, METHODS, seeds))
            ).mean()
            for seeds in SEEDS
        ]
        print(f"{kind:12}" + "".join(f"{share:10.2%}" for share in shares))


def coverages(repeats: int, resamples: int) -> None:
    print(
        "\nCoverage of 95 % intervals of one method's mean, median and IQM; the same by the plain percentile"
    )
    print(
        "bootstrap, as rliable has it; and of a paired difference. In brackets: not within two points, by more"
    )
    print("than the noise of the simulation. x: where no interval can be, see limits.py")
    print(
        f"samples: {4 * repeats:,} for mean and median, {repeats:,} for the IQM, {repeats // 5:,} for the rest"
    )
    heads = ("mean", "median", "IQM", "rl. mean", "rl. med.", "rl. IQM", "difference")
    print(f"{'answers':15} {'tasks':>5} {'seeds':>5}" + "".join(f"{head:>11}" for head in heads))
    for kind in simulated.DRAWS:
        if kind == next(iter(simulated.OTHERS)):
            print("answers that no method was chosen by, half as many samples:")
            repeats //= 2
        for tasks in (1, TASKS):
            for seeds in SEEDS:
                _coverage_row(kind, tasks, seeds, repeats, resamples)
    print(
        "\nCoverage of the median over tasks, normal answers, by how many standard errors each task is away"
    )
    print(f"{'tasks':20}" + "".join(f"{f'{seeds} seeds':>11}" for seeds in SEEDS))
    for places in ((0, 0, 0), (0, 1, 2), (0, 4, 8), (0, 0, 2), (0, 0, 3), (0, 0, 8), (0, 0, 0, 8, 8)):
        shares = [
            simulated.median_coverage(places, seeds, repeats, resamples, np.random.default_rng(seeds))
            for seeds in SEEDS
        ]
        print(f"{', '.join(map(str, places)):20}" + "".join(_share(share, repeats) for share in shares))


def _coverage_row(kind: str, tasks: int, seeds: int, repeats: int, resamples: int) -> None:
    size = (kind, tasks, seeds)
    times = dict.fromkeys(("mean", "median"), 4 * repeats) | {"iqm": repeats}
    quick = simulated.coverage(
        *size, 4 * repeats, resamples, np.random.default_rng(seeds), simulated.means_only
    )
    slow = simulated.coverage(*size, repeats, resamples, np.random.default_rng(seeds))
    fewer = repeats // 5
    plain = simulated.coverage(*size, fewer, resamples, np.random.default_rng(seeds), percentile_bootstrap)
    paired = simulated.difference_coverage(*size, fewer, np.random.default_rng(seeds))
    shown = [
        _share(share, times[name], (*size, name) in limits.UNATTAINABLE)
        for name, share in quick._replace(iqm=slow.iqm)._asdict().items()
    ] + [_share(share, fewer) for share in (*plain, paired)]
    print(f"{kind:15} {tasks:5} {seeds:5}" + "".join(shown), flush=True)


def _share(share: float, repeats: int, unattainable: bool = False) -> str:
    if np.isnan(share):
        return f"{'none':>11}"
    noise = 1.96 * np.sqrt(share * (1 - share) / repeats)
    text = f"{share:.1%}" if 0.93 - noise <= share <= 0.97 + noise else f"({share:.1%})"
    return f"{text + ' x' * unattainable:>11}"


def attainable() -> None:
    print("\nWhat can be covered of answers of which 30 % are stuck, exactly (tests/limits.py)")
    print("runs                                              " + "".join(f"{n:8}" for n in range(5, 11)))
    print(
        "most, without noise, of any interval in their units"
        + "".join(f"{limits.two_valued(n, limits.STUCK):8.1%}" for n in range(5, 11))
    )
    for name, true in limits.stuck_values().items():
        level = limits.needed(5, true / limits.NOISE)
        print(
            f"5 runs: Student's interval covers 93 % of the {name} only where it covers {level:.2%} of normal ones"
        )


def powers(comparisons: int) -> None:
    print(f"\nPower: planted differences, {comparisons:,} comparisons each")
    print(f"{'effect':>7} {'seeds':>6} {'level':>7} {'computed':>9} {'simulated':>10}")
    rng = np.random.default_rng(0)
    for effect, seeds in ((1.5, 8), (1.0, 10), (2.0, 9), (1.2, 13), (0.7, 20), (0.5, 34)):
        for pairs in (1, 10):
            alpha = 0.05 / pairs
            seen = simulated.rejections(effect, seeds, comparisons, alpha, rng)
            print(f"{effect:7} {seeds:6} {alpha:7.3f} {power(effect, seeds, alpha):9.1%} {seen:10.1%}")


def agreement() -> None:
    print("\nAgreement: largest difference from the other package's numbers")
    for name, other, compute in _references():
        try:
            print(f"{name:48} {other:42} {compute():.1e}")
        except ImportError as error:
            print(f"{name:48} {other:42} not installed ({error.name})")


def _references() -> Iterator[tuple[str, str, Callable[[], float]]]:
    rng = np.random.default_rng(7)
    runs = rng.lognormal(size=(13, 4))  # runs x tasks, as rliable has them
    more = rng.lognormal(0.2, size=(11, 4))
    p = rng.uniform(0, 0.1, 12)

    def rliable(name: str, value: float, *scores: np.ndarray) -> float:
        from rliable import metrics

        return abs(float(getattr(metrics, name)(*scores)) - value)

    found = aggregate(list(runs.T), 0.95, 100, np.random.default_rng(0))
    yield "mean", "rliable aggregate_mean", lambda: rliable("aggregate_mean", found.mean.value, runs)
    yield (
        "median over tasks",
        "rliable aggregate_median",
        lambda: rliable("aggregate_median", found.median.value, runs),
    )
    yield "IQM", "rliable aggregate_iqm", lambda: rliable("aggregate_iqm", found.iqm.value, runs)
    yield (
        "IQM",
        "scipy.stats.trim_mean",
        lambda: max(
            abs(float(iqm(x)) - stats.trim_mean(x, 0.25)) for x in (runs[:n].ravel() for n in range(1, 14))
        ),
    )
    delta = float(np.mean([cliffs_delta(-a, -b) for a, b in zip(runs.T, more.T, strict=True)]))
    yield (
        "(1 + Cliff's delta) / 2",
        "rliable probability_of_improvement",
        lambda: rliable("probability_of_improvement", (1 + delta) / 2, runs, more),
    )
    yield (
        "IQM's bootstrap quantiles / their distance",
        "rliable get_interval_estimates",
        lambda: _bootstrap(runs),
    )
    yield (
        "Cliff's delta",
        "scipy.stats.mannwhitneyu",
        lambda: max(
            abs(cliffs_delta(a, b) - (1 - 2 * stats.mannwhitneyu(a, b).statistic / (len(a) * len(b))))
            for a, b in zip(np.round(runs.T, 1), np.round(more.T, 1), strict=True)
        ),
    )
    yield (
        "sign-flip p, exact, 4 to 12 pairs",
        "scipy.stats.permutation_test",
        lambda: max(
            abs(float(sign_flip(d)) - _scipy_p(d, 2**12))
            for n in range(4, 13)
            for d in (rng.normal(0.4, 1, n),)
        ),
    )
    yield (
        "sign-flip p, 30 pairs (20,000 draws each)",
        "scipy.stats.permutation_test",
        lambda: max(abs(float(sign_flip(d)) - _scipy_p(d, 20_000)) for d in rng.normal(0.3, 1, (5, 30))),
    )
    yield "Holm", "statsmodels multipletests", lambda: _holm(p)
    ranked = rng.normal(size=(9, 4))
    yield (
        "Friedman's statistic",
        "equation 6 of Demsar (2006)",
        lambda: _friedman(ranked),
    )
    # Table 5 of Demsar (2006): q for 2 to 10 methods at 0.05.
    table = np.array([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164])
    yield (
        "Nemenyi's q, 2 to 10 methods",
        "table 5 of Demsar (2006)",
        lambda: max(
            abs(critical_difference(k, 10) / np.sqrt(k * (k + 1) / 60) - q) for k, q in enumerate(table, 2)
        ),
    )
    yield "power, effects 0.2 to 1.5, 30 to 100 seeds", "statsmodels TTestPower", _ttest_power


def _scipy_p(differences: np.ndarray, resamples: int) -> float:
    found = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        n_resamples=resamples,
        rng=np.random.default_rng(1),
    )
    return float(found.pvalue)


def _holm(p: np.ndarray) -> float:
    from statsmodels.stats.multitest import multipletests

    return float(np.abs(holm(p) - multipletests(p, method="holm")[1]).max())


def _friedman(values: np.ndarray) -> float:
    tasks, k = values.shape
    mean_ranks = (values.argsort(1).argsort(1) + 1).mean(0)
    equation = 12 * tasks / (k * (k + 1)) * (np.sum(mean_ranks**2) - k * (k + 1) ** 2 / 4)
    return abs(ranks(values, list("abcd")).friedman - float(equation))


def _ttest_power() -> float:
    from statsmodels.stats.power import TTestPower

    cases = [(e, n, a) for e in (0.2, 0.5, 1.0, 1.5) for n in (30, 60, 100) for a in (0.05, 0.005)]
    return max(abs(power(e, n, a) - TTestPower().power(e, n, a)) for e, n, a in cases)


def _bootstrap(runs: np.ndarray) -> float:
    from rliable import library, metrics

    reps = 20_000
    _, theirs = library.get_interval_estimates(
        {"a": runs},
        lambda x: np.array([metrics.aggregate_iqm(x)]),
        reps=reps,
        random_state=np.random.RandomState(0),
    )
    ours = np.array(percentile_bootstrap(list(runs.T), 0.95, reps, np.random.default_rng(0)).iqm[1:])
    return float(np.abs(ours - theirs["a"].ravel()).max() / np.ptp(ours))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    parser.add_argument(
        "--only", choices=("alarms", "power", "coverage", "limits", "agreement"), help="one table"
    )
    given = parser.parse_args()
    share = 10 if given.quick else 1
    start = perf_counter()
    tables = {
        "alarms": lambda: false_alarms(2000 // share),
        "power": lambda: powers(10_000 // share),
        "coverage": lambda: coverages(10_000 // share, 400),
        "limits": attainable,
        "agreement": agreement,
    }
    for name, table in tables.items():
        if given.only in (None, name):
            table()
    print(f"\n{perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
