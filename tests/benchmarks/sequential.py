"""Does the sequential design hold its level, what does it find, and how many seeds does it cost? By simulation.

    python tests/benchmarks/sequential.py [--studies 1000] [--most 40] [--only errors] [--kinds normal,stuck]

The designs with 10, 20 and 40 seeds from the first see the same data. In brackets a standard error of the simulation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sequential_studies import KINDS, Study, fixed, scores, sequential

from nnexp.stats.sequential import Plan, decide, pair_differences, repeated_interval

FIXED = (10, 20, 40)
CHOSEN = [*KINDS]
"""Kinds of answers that tables have."""

EFFECTS: tuple[tuple[float, ...], ...] = (
    (0.5, 0), (1, 0), (2, 0), (0.5, 0, 0), (1, 0, 0), (1, 0.5, 0), (1, 0, 0, 0, 0, 0),
)  # fmt: skip
"""By how many standard deviations of a normal difference each method is better."""


def studied(kind: str, effects: Sequence[float], count: int, most: int) -> dict[str, list[Study]]:
    """Studies by the sequential design, and by those with a fixed number of seeds."""
    rng = np.random.default_rng([len(effects), *map(ord, kind)])
    found: dict[str, list[Study]] = {"sequential": [], **{f"fixed {seeds}": [] for seeds in FIXED}}
    for number in range(count):
        plan = Plan(len(effects), most, seed=number % 20)
        made = scores(kind, effects, most, rng)
        found["sequential"].append(sequential(plan, made, effects))
        for seeds in FIXED:
            if seeds <= most:
                found[f"fixed {seeds}"].append(fixed(plan, made, effects, seeds))
    return found


def share(flags: Sequence[bool]) -> str:
    """A share with its standard error."""
    p = float(np.mean(flags))
    return f"{p:.3f} ({np.sqrt(max(p * (1 - p), 0.25 / len(flags)) / len(flags)):.3f})"


def errors(count: int, most: int) -> None:
    print("\nFamily-wise error at 5 %, all methods equal: share of studies with any difference claimed")
    heads = ["sequential", *(f"fixed {seeds}" for seeds in FIXED)]
    print(f"{'answers':14}{'methods':>8}{'studies':>8}" + "".join(f"{head:>16}" for head in heads))
    for kind in CHOSEN:
        for methods in (2, 3, 6):
            own = count if methods < 6 else max(count // 4, 1)
            found = studied(kind, [0.0] * methods, own, most)
            print(
                f"{kind:14}{methods:8}{own:8}"
                + "".join(f"{share([one.false for one in found[head]]):>16}" for head in heads),
                flush=True,
            )


def powers(count: int, most: int) -> None:
    print(
        "\nEffects: share of studies with all true differences found, mean seeds by method, and false claims"
    )
    heads = ["sequential", *(f"fixed {seeds}" for seeds in FIXED)]
    print(
        f"{'answers':14}{'effects':>18}"
        + "".join(f"{head:>16}" for head in heads)
        + f"{'seeds':>8}{'false':>8}"
    )
    for kind in CHOSEN:
        for effects in EFFECTS:
            if len(effects) > 3 and kind != "normal":
                continue
            own = max(count // (2 if len(effects) < 6 else 8), 1)
            found = studied(kind, effects, own, most)
            seeds = np.mean([one.seeds for one in found["sequential"]])
            false = np.mean([one.false for one in found["sequential"]])
            named = " ".join(f"{effect:g}" for effect in effects)
            print(
                f"{kind:14}{named:>18}"
                + "".join(f"{share([one.whole for one in found[head]]):>16}" for head in heads)
                + f"{seeds:8.1f}{false:8.3f}",
                flush=True,
            )


def margins(count: int, most: int) -> None:
    print("\nClaims of sameness, two normal methods: share of false claims, of decided pairs, and mean seeds")
    print(f"{'margin':>8}{'effect':>8}{'false':>16}{'decided':>16}{'seeds':>8}")
    for margin in (0.5, 0.75, 1.0):
        for effect in (0.0, margin, 2 * margin):
            rng = np.random.default_rng(1)
            plan = Plan(2, most, margin)
            made = [scores("normal", (effect, 0), most, rng) for _ in range(count)]
            found = [sequential(plan, one, (effect, 0)) for one in made]
            decided = [decide(plan, one).decided == 1 for one in made]
            print(
                f"{margin:8}{effect:8}{share([one.false for one in found]):>16}{share(decided):>16}"
                f"{np.mean([one.seeds for one in found]):8.1f}",
                flush=True,
            )


def intervals(count: int, most: int) -> None:
    print(
        "\n95 % intervals of a normal difference at the stop: coverage, median width; and the mean estimate"
    )
    print(f"{'effect':>8}{'coverage':>16}{'width':>8}{'estimate':>10}")
    plan = Plan(2, most)
    for effect in (0.0, 0.5, 1.0, 2.0):
        rng = np.random.default_rng(2)
        hits, widths, estimates = [], [], []
        for _ in range(max(count // 4, 1)):
            made = scores("normal", (effect, 0), most, rng)
            pair = decide(plan, made).pairs[0]
            low, high = repeated_interval(plan, pair_differences(made)[0, : pair.seeds], 0.05)
            hits.append(low <= -effect <= high)
            widths.append(high - low)
            estimates.append(-pair.difference)
        print(f"{effect:8}{share(hits):>16}{np.median(widths):8.2f}{np.mean(estimates):10.3f}", flush=True)


def times(most: int) -> None:
    print("\nA whole comparison from its scores, processor seconds")
    for methods in (2, 3, 6, 10):
        plan, rng = Plan(methods, most), np.random.default_rng(0)
        made = scores("normal", [0.5 * at for at in range(methods)], most, rng)
        decide(plan, made)
        start = process_time()
        for _ in range(3):
            decide(plan, made)
        print(f"{methods:3} methods: {(process_time() - start) / 3:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--studies", type=int, default=1000, help="of each row; a quarter or less of six methods"
    )
    parser.add_argument("--most", type=int, default=40, help="seeds at which the sequential design ends")
    tables = {"errors": errors, "powers": powers, "margins": margins, "intervals": intervals}
    parser.add_argument("--only", choices=[*tables], help="one of the tables")
    parser.add_argument("--kinds", default=",".join(KINDS), help="of answers")
    options = parser.parse_args()
    CHOSEN[:] = options.kinds.split(",")
    times(options.most)
    for name, table in tables.items():
        if options.only in (None, name):
            table(options.studies, options.most)


if __name__ == "__main__":
    main()
