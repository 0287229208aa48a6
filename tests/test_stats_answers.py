"""One answer, and no more than is known: what headline, tables, intervals and pairs say of made-up sweeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_sweeps import METHODS, made_sweep, of, spread

from nnexp.report.paper import cells
from nnexp.report.tables import results
from nnexp.stats import compare, judge
from nnexp.stats.pairs import timings
from nnexp.stats.verdict import UNITS


@pytest.mark.parametrize("size", [1e-300, 1e-79, 1e79, 1e200, 1e300])
def test_answers_of_very_unlike_size_are_compared(size):
    ramp = 1 + 0.01 * np.arange(8)
    lower, higher = sorted((1.0, size))
    for tasks in (1, 3):
        answers = np.tile([lower * ramp, higher * ramp], (tasks, 1, 1))
        found = compare(*made_sweep(answers, ["a", "b"]))
        assert found.verdict.startswith("a is better than b")
        assert found.overall["p"].tolist() == [2 / 2**8]
        last = found.summary.iloc[-1]
        for name in ("mean", "median", "iqm"):
            assert last[f"{name}_low"] < last[name] < last[f"{name}_high"]
            # The same intervals in other units.
            plain = compare(*made_sweep(answers / higher, ["a", "b"])).summary.iloc[-1]
            assert last[f"{name}_high"] == pytest.approx(higher * plain[f"{name}_high"], rel=1e-6)


def test_an_interval_stands_beside_its_own_p():
    for seed in range(6):
        for seeds in (3, 6, 10, 30):
            found = compare(*made_sweep(spread(seeds=seeds, gap=0.06, seed=seed), METHODS)).overall
            left_out = (found["low"] > 0) | (found["high"] < 0)
            assert (left_out == (found["p"] <= 0.05)).all()


def test_medians_of_few_runs_say_their_level():
    levels = [compare(*made_sweep(spread(seeds=n), METHODS)).summary["median_level"][0] for n in (3, 5, 6)]
    assert levels == pytest.approx([np.nan, 0.9375, 0.95], nan_ok=True)
    shown = [
        results(compare(*made_sweep(spread(seeds=n), METHODS)), dict.fromkeys(METHODS, "#000000")).note
        for n in (3, 5, 6)
    ]
    assert ["A median of too few runs has no interval." in note for note in shown] == [True, False, False]
    assert ["medians' intervals hold 93.75%." in note for note in shown] == [False, True, False]


def test_a_task_all_of_whose_runs_diverged_is_said_and_the_others_are_judged():
    runs, history = made_sweep(spread(gap=0.2, tasks=2), METHODS)
    runs.loc[runs["dataset.name"] == "vertical", "status"] = "diverged"
    runs.loc[runs["dataset.name"] == "vertical", "val_loss"] = np.nan
    found = judge(runs, history)
    alone = judge(*made_sweep(spread(gap=0.2, tasks=2)[:1], METHODS))
    assert found.headline == alone.headline
    for axis, comparison in found.comparisons.items():
        assert comparison.tasks == ["spiral"]
        assert comparison.left_out == {"vertical": "vertical: 30 diverged"}
        assert "Tasks without any answer, left out: vertical: 30 diverged." in comparison.verdict
        pd.testing.assert_frame_equal(comparison.pairs, alone.comparisons[axis].pairs)
    # Where nothing has an answer there is no comparison, and the error says how runs ended.
    runs["status"] = ["diverged", "failed"] * 30
    with pytest.raises(
        ValueError, match=r"no run has an answer \(spiral: 15 diverged, 15 failed; vertical: 15"
    ):
        judge(runs, history, measure="val_loss")
    # By iteration 10 they had answers.
    assert compare(runs.assign(status="diverged"), history, "val_loss", at=10).tasks == ["spiral", "vertical"]


def timed(
    group: int | None, factor: float = 1.02, seeds: int = 8, old: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs of two methods with the same curves against iterations, timed in groups of so many, b's clocks slower."""
    curve = np.tile(spread(seeds=seeds)[:, :1], (1, 2, 1))
    runs, history = made_sweep(curve, ["a", "b"], ends=tuple(range(1, 101)))
    part = runs["seed"] // group if group else runs["seed"]
    rate = np.where(runs["method"] == "b", factor, 1.0) * (1 + 1e-4 * part)
    if not old and group:
        runs["group"] = runs["method"] + part.map(str)
    history["seconds"] *= history["run_id"].map(dict(zip(runs["run_id"], rate, strict=True)))
    return runs, history


@pytest.mark.parametrize("old", [False, True])
def test_a_clock_that_runs_share_is_one_measurement_and_claims_nothing(old):
    found = judge(*timed(8, old=old), axes=["seconds"])
    one = found.comparisons["seconds"]
    pair = of(one.overall)
    assert (pair["observations"], pair["seeds"], pair["p"]) == (1, 8, 1.0)
    assert np.isnan(pair["low"])
    assert pair["verdict"] == "not enough evidence"
    assert "no 95% interval from 1 independent timing, p = 1.000;" in one.verdict
    assert "1 independent timing cannot show any difference among 1 pair at 5%: 6 or more" in one.verdict
    assert "train runs one at a time: hydra.launcher.group=1." in one.verdict
    assert "one measurement of time; timings for runs: a 1 for 8, b 1 for 8." in one.verdict
    assert (
        found.headline
        == "Best by validation loss: not enough evidence (a or b) at equal seconds (as timed here)."
    )
    assert of(one.time_pairs)["verdict"] == "not enough evidence"
    assert one.time_to_target["low"].isna().all()


def test_runs_that_were_timed_alone_or_in_enough_groups_may_differ_by_seconds():
    alone = compare(*timed(None), axis="seconds")
    assert of(alone.overall)["observations"] == 8
    assert of(alone.overall)["p"] == 2 / 2**8
    assert "hydra.launcher.group" not in alone.verdict
    grouped = of(compare(*timed(2, seeds=16), axis="seconds").overall)
    assert (grouped["observations"], grouped["p"]) == (8, 2 / 2**8)
    # Iterations and evaluations have no clock.
    assert of(compare(*timed(8), axis="iteration").overall)["observations"] == 8


def test_methods_in_one_group_differ_by_seconds_as_by_iterations():
    runs, history = made_sweep(spread(gap=0.2)[:, :2], ["sgd", "sgd momentum=0.9"])
    by_seconds = of(compare(runs.assign(group="one"), history, axis="seconds").overall)
    by_iterations = of(compare(runs, history, axis="iteration").overall)
    assert by_seconds["observations"] == 10
    assert by_seconds["p"] == by_iterations["p"]


def test_seeds_are_linked_by_the_clocks_of_either_method():
    one, two = np.array([[0, 0, 1, 1, 2, 3]]), np.array([[4, 5, 5, 6, 7, 3]])
    assert timings(one, two, np.ones((1, 6), bool)).tolist() == [0, 0, 0, 0, 1, 2]
    paired = np.array([[True, False, True, True, True, True]])
    assert timings(one, two, paired).tolist() == [0, -1, 1, 1, 2, 3]


def test_headline_order_and_pairs_give_one_answer_on_common_seeds():
    answers = np.array([[[1.0] * 6 + [0.0], [0.9] * 7]])
    runs, history = made_sweep(answers, ["a", "b"])
    runs = runs[runs["run_id"] != "spiral-b-6"]
    found = judge(runs, history, axes=["iteration"])
    one = found.comparisons["iteration"]
    assert of(one.summary, method="a")["mean"] < of(one.summary, method="b")["mean"]
    assert (of(one.overall)["a"], of(one.overall)["p"]) == ("b", 2 / 2**6)
    assert one.methods == ["b", "a"]
    assert found.headline == "Best by validation loss: b at equal iterations."
    assert one.verdict.startswith(
        "b is better than a by validation loss at 100 iterations (1 task, 6 common seeds)"
    )
    assert "- b is better than a: " in one.verdict
    assert "Methods are compared on the seeds that each two share" in one.verdict
    assert [cell.method for cell in cells(one) if cell.best] == ["b"]
    assert not any(cell.tie for cell in cells(one))
    assert one.ranks.table["method"].tolist() == ["b", "a"]


def test_a_method_that_misses_a_whole_task_is_compared_on_those_that_it_has():
    answers = np.stack([np.full((2, 8), [[1.0], [0.9]]), np.full((2, 8), [[0.0], [5.0]])])
    runs, history = made_sweep(answers + 0.001 * np.arange(8), ["a", "b"])
    runs = runs[~((runs["method"] == "b") & (runs["dataset.name"] == "vertical"))]
    found = compare(runs, history)
    pair = of(found.overall)
    assert (pair["a"], pair["tasks"], pair["verdict"]) == ("b", 1, "a is better")
    assert found.methods == ["b", "a"]
    head, line = found.verdict.splitlines()[:2]
    assert head.startswith(
        "b is better than a by validation loss at 100 iterations (1 of 2 tasks, 8 common seeds)"
    )
    assert head.endswith("unknown mean validation loss, because it has no run on some task.")
    assert line.endswith("b is ahead on 100% of 8 common runs, of 1 of 2 tasks.")
    assert "nan" not in found.verdict
    assert {cell.task: cell.method for cell in cells(found) if cell.best} == {
        "spiral": "b",
        "vertical": "a",
    }


def test_methods_that_beat_each_other_in_turn_have_no_best():
    # Each two share six seeds of their own, on which one is ahead.
    answers = np.full((3, 18), np.nan)
    for first, seeds in enumerate((slice(0, 6), slice(6, 12), slice(12, 18))):
        answers[first, seeds], answers[(first + 1) % 3, seeds] = 0.5, 0.6
    runs, history = made_sweep(answers[None], ["a", "b", "c"])
    known = ~np.isnan(answers).ravel()
    found = compare(runs[known], history, confidence=0.9)
    assert (found.overall["verdict"] == "a is better").all()
    assert found.verdict.startswith("Not enough evidence for one best method")
    assert "is not shown to be better than c." in found.verdict


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        ({}, "iteration"),
        ({"budget.iterations": 100}, "iteration"),
        ({"budget.iterations": None, "budget.evaluations": 300}, "evaluations"),
        ({"budget.iterations": None, "budget.evaluations": 302}, "evaluations"),
        ({"budget.iterations": None, "budget.seconds": 1}, "seconds"),
        ({"budget.iterations": 10_000, "budget.evaluations": 300}, "evaluations"),
        ({"budget.iterations": 100, "budget.evaluations": 900_000}, "iteration"),
    ],
)
def test_the_cost_that_the_budget_was_given_in_leads(limits, first):
    runs, history = made_sweep(spread(gap=0.2)[:, :2], ["random", "sgd"])
    if "budget.evaluations" in limits:
        # Equal evaluations: random's hundred iterations are made as dear as sgd's.
        history["evaluations"] = 3 * history["iteration"]
    found = judge(runs.assign(**limits), history)
    assert next(iter(found.comparisons)) == first
    assert sorted(found.comparisons) == ["evaluations", "iteration", "seconds"]
    assert found.text.index(f"At equal {UNITS[first]}\n") == found.text.index("At equal ")
    assert compare(runs.assign(**limits), history).axis == first
    assert list(judge(runs.assign(**limits), history, axes=["seconds"]).comparisons) == ["seconds"]
