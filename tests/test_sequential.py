"""The sequential design: its level, its looks, its claims, its intervals; on made-up scores whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sequential_studies import NULLS, scores, sequential

from nnexp.stats.design import Design, DesignRecord, differing
from nnexp.stats.sequential import (
    DIFFERENT,
    SAME,
    UNDECIDED,
    Plan,
    closed_at,
    decide,
    pair_differences,
    repeated_interval,
    sign_matrix,
)
from nnexp.stats.sequential_verdict import sequential_verdict


def drawn(effects: tuple[float, ...], seeds: int = 40, seed: int = 0, kind: str = "normal") -> np.ndarray:
    return scores(kind, effects, seeds, np.random.default_rng(seed))


def by_definition(plan: Plan, differences: np.ndarray, levels: int) -> list[list[int]]:
    """The look at which the observed path leaves, pair by pair and level by level, with nothing but sorting."""
    signs = sign_matrix(plan.paths, plan.most, plan.seed).T
    out = []
    for own in differences:
        row = []
        for many in range(1, levels + 1):
            gone: set[int] = set()
            left_at = len(plan.looks)
            for look, seeds in enumerate(plan.looks):
                size = np.abs(signs[:, :seeds] @ own[:seeds])
                room = int(plan.alpha / many * (seeds / plan.most) ** 2 * plan.paths + 1e-9) - len(gone)
                if room <= 0:
                    continue
                left = sorted((b for b in range(plan.paths) if b not in gone), key=lambda b: -size[b])
                limit = size[left[room]] + 1e-9 * np.abs(own).sum()
                gone |= {b for b in left[:room] if size[b] > limit}
                if 0 in gone and left_at == len(plan.looks):
                    left_at = look
            row.append(left_at)
        out.append(row)
    return out


@pytest.mark.parametrize("kind", ["normal", "tied", "stuck"])
def test_pairs_close_where_the_definition_says(kind: str) -> None:
    plan = Plan(3, 25, paths=600)
    for seed in range(6):
        made = drawn((1.2, 0.6, 0), 25, seed, kind)
        crossed = by_definition(plan, pair_differences(made), 3)
        nested = [[max(row[: j + 1]) for j in range(3)] for row in crossed]
        called: dict[int, int] = {}
        for look in range(len(plan.looks)):
            while now := [k for k in range(3) if k not in called and nested[k][2 - len(called)] <= look]:
                called[now[0]] = plan.looks[look]
        found = decide(plan, made)
        assert {k: pair.seeds for k, pair in enumerate(found.pairs) if pair.outcome == DIFFERENT} == called


def test_equal_methods_are_called_different_as_often_as_the_level_says() -> None:
    # Of 80 studies 4 are expected, of all five kinds 20; fewer than 8 or more than 34 have a chance of 1 in 300.
    false = 0
    for kind in NULLS:
        rng = np.random.default_rng(len(kind))
        for number in range(80):
            plan = Plan(2, 40, paths=4000, seed=number)
            false += sequential(plan, scores(kind, (0, 0), 40, rng), (0, 0)).false
    assert 8 <= false <= 34


def test_methods_a_standard_deviation_apart_are_found_with_few_seeds() -> None:
    plan = Plan(2, 40)
    found = [sequential(plan, drawn((1, 0), seed=seed), (1, 0)) for seed in range(40)]
    assert np.mean([one.whole for one in found]) > 0.94
    assert 13 < np.mean([one.seeds for one in found]) < 19


def test_a_look_does_not_depend_on_seeds_that_come_after_it() -> None:
    plan = Plan(4, 40)
    made = drawn((1.5, 1, 0.5, 0))
    whole = {at: (p.outcome, p.seeds) for at, p in enumerate(decide(plan, made).pairs)}
    closed: dict[int, tuple[str, int]] = {}
    for seeds in plan.looks:
        now = {at: (p.outcome, p.seeds) for at, p in enumerate(decide(plan, made[:, :seeds]).pairs)}
        fixed = {at: pair for at, pair in now.items() if pair[0] != UNDECIDED}
        assert closed.items() <= fixed.items()
        closed = fixed
    assert closed == {at: pair for at, pair in whole.items() if pair[0] != UNDECIDED}
    assert len(closed) > 2


def test_scores_of_a_method_that_needs_no_more_seeds_change_nothing() -> None:
    plan = Plan(3, 40)
    made = drawn((4, 0.4, 0))
    first = decide(plan, made[:, :15])
    assert first.active == [False, True, True]
    made[0, 15:] = np.nan
    with_gaps = decide(plan, made)
    assert [p.seeds for p in with_gaps.pairs if 0 in (p.one, p.two)] == [p.seeds for p in first.pairs[:2]]
    assert with_gaps.pairs[2].seeds > 15


def test_a_part_of_a_round_is_not_looked_at() -> None:
    plan = Plan(2, 40)
    made = drawn((3, 0))
    assert decide(plan, made[:, :9]).looks == 0
    assert decide(plan, made[:, :9]).pairs[0].outcome == UNDECIDED
    assert decide(plan, made[:, :14]) == decide(plan, made[:, :10])


def test_equal_methods_are_the_same_within_a_margin_and_undecided_without() -> None:
    made = [drawn((0, 0), seed=seed) for seed in range(15)]
    without = [decide(Plan(2, 40), one).pairs[0].outcome for one in made]
    within = [decide(Plan(2, 40, 1.0), one).pairs[0] for one in made]
    assert without.count(UNDECIDED) > 11
    assert [pair.outcome for pair in within].count(SAME) > 11
    assert np.mean([pair.seeds for pair in within]) < 22
    at_the_margin = [drawn((1, 0), seed=seed) for seed in range(30)]
    assert sum(decide(Plan(2, 40, 1.0), one).pairs[0].outcome == SAME for one in at_the_margin) < 7


def test_scores_that_are_all_equal_are_undecided_and_have_an_interval() -> None:
    plan = Plan(2, 20)
    found = decide(plan, np.ones((2, 20)))
    assert found.pairs[0].outcome == UNDECIDED
    low, high = repeated_interval(plan, np.zeros(20), 0.05)
    assert low < 0 < high
    assert high < 1e-3
    assert decide(plan, np.full((2, 20), np.nan)).pairs[0].difference == 0


def test_an_interval_leaves_out_zero_where_its_look_calls_the_pair() -> None:
    plan = Plan(2, 40)
    for seed in range(8):
        pair = decide(plan, drawn((0.9, 0), seed=seed)).pairs[0]
        own = pair_differences(drawn((0.9, 0), seed=seed))[0, : pair.seeds]
        low, high = repeated_interval(plan, own, 0.05)
        assert low < pair.difference < high
        assert (not low <= 0 <= high) == (pair.outcome == DIFFERENT)
    # What is shifted or turned round has an interval that is.
    moved = repeated_interval(plan, own + 3, 0.05)
    assert moved == pytest.approx((low + 3, high + 3), abs=1e-4)
    assert repeated_interval(plan, -own, 0.05) == pytest.approx((-high, -low), abs=1e-4)


def test_the_signs_of_a_look_are_those_of_the_looks_before() -> None:
    assert (sign_matrix(500, 40, 3)[:, 0] == 1).all()
    assert not (sign_matrix(500, 40, 3) == sign_matrix(500, 40, 4)).all()
    plan = Plan(2, 40, seed=3)
    assert [*pairwise(plan.looks)][-1] == (35, 40)
    assert Plan(2, 42).looks[-2:] == [40, 42]
    assert closed_at(plan, np.zeros((1, 4))) == [(0, UNDECIDED)]


def test_too_few_seeds_for_so_many_methods_are_known_before() -> None:
    assert Plan(2, 10).can_decide
    assert not Plan(12, 10).can_decide
    assert Plan(12, 40).can_decide


DESIGN = Design(
    methods=["sgd", "adam", "random"], tasks=["moons", "spiral"], seed=0, most=40, measure="val_loss", higher=False,
    axis="iteration", at={"moons": 100.0, "spiral": 100.0}, worst={"moons": 0.7, "spiral": 1.1}, margin=None,
    settings="s", code="c",
)  # fmt: skip


def recorded(made: np.ndarray, design: Design = DESIGN) -> DesignRecord:
    """A record whose looks were taken at all of the seeds; tasks have the same scores."""
    record = DesignRecord(design)
    for task in design.tasks:
        for name, row in zip(design.methods, made, strict=True):
            record.scores.setdefault(task, {})[name] = row.tolist()
    record.looks = [{"seeds": n, "decided": 0} for n in design.plan.looks if n <= made.shape[1]]
    return record


def test_a_record_is_read_back_as_it_was_and_keeps_what_a_look_has_seen() -> None:
    record = recorded(drawn((1, 0, -1), 10))
    record.scores["moons"]["sgd"][3] = "diverged"
    again = DesignRecord.read(record.text())
    assert again == record
    assert differing(again.design, replace(DESIGN, most=60, margin=0.1)) == ["most", "margin"]
    again.add("moons", "sgd", 3, 0.5)
    assert again.scores["moons"]["sgd"][3] == "diverged"
    again.add("moons", "sgd", 10, 0.5)
    assert again.scores["moons"]["sgd"][10] == 0.5


def test_lost_runs_count_as_the_worst_value_and_are_told_apart() -> None:
    made = drawn((1, 0, -1), 40) / 10 + 0.3
    record = recorded(made)
    for at in (2, 5, 7):
        record.scores["spiral"]["adam"][at] = "diverged"
    record.scores["spiral"]["random"][2] = "failed"
    assert record.values()[1, 1, 2] == 1.1
    assert np.isnan(record.means(worst=False)[1, 2])
    found = sequential_verdict(record)
    assert (
        "3 of adam diverged, 1 of random failed; they count as validation loss moons 0.7, spiral 1.1"
        in found.text
    )
    assert "Without them: sgd - adam" in found.text
    assert found.pairs.loc[0, "seeds_without_lost"] <= found.pairs.loc[0, "seeds"]


def test_the_verdict_says_looks_seeds_and_level() -> None:
    record = recorded(drawn((3, 0, -3), 15))
    found = sequential_verdict(record)
    assert found.headline == "sgd is better than adam and random by validation loss at 100 iterations."
    assert "2 of at most 7 looks were taken, at 10 and 15 seeds; 3 of 3 pairs decided" in found.text
    assert "is at most 5% where differences are symmetric" in found.text
    assert "Seeds by method: sgd 15, adam 15, random 15." in found.text
    assert found.pairs["a"].tolist() == ["sgd", "sgd", "adam"]
    assert (found.pairs["difference"] < 0).all()
    equal = sequential_verdict(recorded(drawn((0, 0, 0), 40)))
    assert equal.headline.startswith(
        "Not enough evidence which of sgd, adam and random is best by validation loss"
    )
    assert "Undecided does not mean equal; sweep.margin tests for equality" in equal.text
    early = sequential_verdict(recorded(drawn((0, 0, 0), 20)))
    assert early.headline.startswith("Not decided yet which of sgd, adam and random is best")


def test_accuracies_are_better_where_they_are_higher() -> None:
    design = replace(DESIGN, measure="val_accuracy", higher=True, worst={"moons": 0.5, "spiral": 0.33})
    found = sequential_verdict(recorded(drawn((3, 0, -3), 15), design))
    assert found.headline == "random is better than sgd and adam by validation accuracy at 100 iterations."
    assert (found.pairs["difference"] > 0).all()


def test_methods_that_are_the_same_within_the_margin_are_named_together() -> None:
    found = sequential_verdict(recorded(drawn((0, 0, -3), 40), replace(DESIGN, margin=1.0)))
    assert found.headline == (
        "sgd and adam are the same within 1 by validation loss at 100 iterations, and better than random."
    )
    assert "and another 5% for claims of sameness" in found.text


def test_skewed_differences_are_said() -> None:
    made = drawn((0, 0, 0), 40) / 5
    made[0] = np.random.default_rng(5).lognormal(0, 1, 40)
    made[0] -= made[0].mean()
    found = sequential_verdict(recorded(made))
    assert "Skewed differences: " in found.text
    assert "6 to 17%" in found.text
    names = found.pairs[["a", "b"]].to_numpy()
    assert found.pairs["skewed"].tolist() == ["sgd" in row for row in names]
