"""Comparisons of made-up sweeps, whose truth is known: what is read, what counts, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from made_sweeps import METHODS, cut, made_sweep, of, spread

from nnexp.stats import compare, judge


def test_the_better_method_is_named_with_its_difference_interval_and_cost():
    answers = spread(tasks=3, gap=0.2)
    found = compare(*made_sweep(answers, METHODS))
    assert found.methods == METHODS[::-1]
    pair = of(found.overall, a="sgd momentum=0.9", b="random")
    assert pair["difference"] == pytest.approx((answers[:, 2] - answers[:, 0]).mean())
    assert pair["low"] < pair["difference"] < pair["high"] < 0
    assert pair["p_holm"] == pytest.approx(3 * 2 / 2**10)
    assert pair["verdict"] == "a is better"
    head = found.verdict.splitlines()[0]
    assert head.startswith(
        "sgd momentum=0.9 is better than sgd and random by validation loss at 100 iterations"
    )
    assert "(3 tasks, 10 common seeds)" in head
    assert "sgd 300 evaluations and 3 seconds" in found.verdict
    assert "By task, the best: spiral: sgd momentum=0.9; vertical: " in found.verdict


def test_methods_that_are_alike_are_not_told_apart():
    found = compare(*made_sweep(spread(seed=3), METHODS))
    assert (found.overall["verdict"] == "not enough evidence").all()
    assert found.verdict.startswith("Not enough evidence for one best method")
    assert "80% power; there are 10" in found.verdict
    assert "may miss a kind of outcome" not in found.verdict


def test_few_seeds_are_said_to_be_too_few():
    found = compare(*made_sweep(spread(seeds=5, gap=1.0), METHODS))
    assert (found.overall["verdict"] == "not enough evidence").all()
    assert "5 seeds cannot show any difference among 3 pairs at 5%: 7 or more are needed." in found.verdict
    assert "5 runs may miss a kind of outcome: one with a probability of 30% is absent" in found.verdict
    assert "in 17% of cases" in found.verdict
    assert "no 95% interval from 5 seeds, p = 0.062; p = 0.188 after Holm's correction" in found.verdict
    assert found.overall["low"].isna().all()


def test_one_seed_is_compared_without_a_claim():
    found = compare(*made_sweep(spread(seeds=1, gap=0.3), METHODS))
    assert found.overall["p"].tolist() == [1, 1, 1]
    assert found.overall["low"].isna().all()
    assert "1 seed cannot show any difference among 3 pairs" in found.verdict
    assert "(one run)" in found.verdict
    assert "nan" not in found.verdict


def test_a_verdict_on_many_methods_spells_out_the_nearest():
    names = [f"sgd learning_rate={number}" for number in range(1, 15)]
    answers = np.arange(14)[None, :, None] + np.random.default_rng(0).normal(0, 0.1, (1, 14, 12))
    found = compare(*made_sweep(answers, names))
    assert found.verdict.count("- sgd learning_rate=1 is better than") == 8
    assert "5 more methods are behind these" in found.verdict


def test_the_training_loss_judges_where_a_task_has_no_test_data():
    runs, history = made_sweep(spread(gap=0.2), METHODS)
    runs, history = runs.assign(loss=runs["val_loss"]), history.assign(loss=history["val_loss"])
    assert compare(runs, history).measure == "val_loss"
    runs.loc[0, "val_loss"] = np.nan
    assert compare(runs, history).measure == "loss"


def test_values_are_held_at_the_largest_common_cost():
    runs, history = made_sweep(spread(), METHODS)
    at_iterations = compare(runs, history, axis="iteration")
    at_evaluations = compare(runs, history, axis="evaluations")
    assert at_iterations.at.tolist() == [100]
    assert at_evaluations.at.tolist() == [100]
    # After 100 evaluations sgd has done 33 iterations, and was last measured at the tenth.
    held = history[(history["method"] == "sgd") & (history["iteration"] == 10)]
    read = at_evaluations.scores[at_evaluations.scores["method"] != "random"]
    assert sorted(read["value"]) == pytest.approx(sorted(held["val_loss"]))
    assert (read["evaluations"] == 30).all()


def test_accuracy_is_better_when_higher():
    found = compare(*made_sweep(spread(gap=0.2), METHODS, measure="val_accuracy"), measure="val_accuracy")
    assert found.methods == METHODS
    pair = of(found.overall, a="random", b="sgd momentum=0.9")
    assert pair["difference"] == pytest.approx(0.4, abs=0.15)
    assert 0 < pair["low"] < pair["high"]
    assert pair["probability_a_better"] > 0.9
    assert pair["cliffs_delta"] > 0.8


def test_a_diverged_run_is_the_worst_of_its_task_and_a_failed_one_is_left_out():
    runs, history = made_sweep(spread(gap=0.1), METHODS)
    first, second, third = "spiral-sgd-0", "spiral-sgd-1", "spiral-sgd-2"
    runs.loc[runs["run_id"] == first, "status"] = "diverged"
    runs.loc[runs["run_id"] == second, "status"] = "failed"
    runs.loc[runs["run_id"] == third, "status"] = "killed"
    history = cut(cut(history, first, after=10), second, after=10)
    found = compare(runs, history)
    scores = found.scores.set_index("run_id")
    assert scores.loc[first, "value"] == 2.0, "where it started, as no answer is worse"
    assert np.isnan(scores.loc[second, "value"])
    assert scores.loc[third, "value"] < 1, "it was killed after the cost at which runs are compared"
    row = of(found.summary, task="spiral", method="sgd")
    assert (row["n"], row["diverged"], row["lost"]) == (9, 1, 1)
    assert of(found.overall, a="sgd momentum=0.9", b="sgd")["n_pairs"] == 9
    assert "counted as the worst value of their task: 1 of sgd." in found.verdict
    assert "left out: 1 of sgd." in found.verdict
    early = compare(runs, history, at=5)
    assert early.scores.set_index("run_id").loc[first, "status"] == "diverged"
    assert not early.scores["diverged"].any(), "by then it had not diverged"


def test_an_answer_that_is_not_finite_is_the_worst_too():
    runs, history = made_sweep(spread(gap=0.1), METHODS)
    last = (history["run_id"] == "spiral-sgd-0") & (history["iteration"] == 100)
    history.loc[last, "val_loss"] = np.nan
    found = compare(runs, history)
    assert found.scores.set_index("run_id").loc["spiral-sgd-0", ["diverged", "value"]].tolist() == [True, 2.0]


def test_a_run_that_was_measured_too_late_has_the_answer_that_it_began_with():
    runs, history = made_sweep(spread(gap=0.1), METHODS)
    history.loc[history["run_id"] == "spiral-random-0", "seconds"] += 0.5
    found = compare(runs, history, axis="seconds", at=0.2)
    assert found.scores.set_index("run_id").loc["spiral-random-0", ["value", "diverged"]].tolist() == [
        2.0,
        False,
    ]
    assert (found.summary["lost"] == 0).all()


def test_pairs_are_on_common_seeds():
    runs, history = made_sweep(spread(gap=0.1), METHODS)
    runs = runs[~((runs["method"] == "random") & (runs["seed"] < 3))]
    found = compare(runs, history)
    assert of(found.overall, a="sgd momentum=0.9", b="random")["seeds"] == 7
    assert of(found.overall, a="sgd momentum=0.9", b="sgd")["seeds"] == 10
    assert of(found.summary, task="spiral", method="random")["lost"] == 3


def test_a_target_that_is_not_reached_costs_infinitely_much():
    answers = np.full((1, 3, 9), 1.0)
    answers[0, 1, :5] = 0.1
    answers[0, 2] = 0.1
    found = compare(*made_sweep(answers, METHODS), target=0.5)
    rows = found.time_to_target.set_index("method")
    assert rows["reached"].tolist() == [0, 5, 9]
    assert rows["median"].tolist() == [np.inf, 100, 100]
    assert rows.loc["sgd", "high"] == np.inf
    assert rows["restricted_mean"].tolist() == [100, 100, 100]
    shares = found.profiles[found.profiles["tau"] == 1.0].set_index("method")["share"]
    assert shares.to_dict() == pytest.approx({"random": 0, "sgd": 5 / 9, "sgd momentum=0.9": 1})


def test_an_earlier_target_is_timed_and_profiled():
    answers = np.full((1, 3, 8), 1.0)
    answers[0, 1], answers[0, 2] = 0.5, -3.0  # Halfway to -3 is -0.5, at iteration 10.
    found = compare(*made_sweep(answers, METHODS), target=0.5)
    pair = of(found.time_pairs, a="sgd momentum=0.9", b="sgd")
    assert (pair["difference"], pair["p"]) == (-90, 2 / 2**8)
    steps = found.profiles[found.profiles["method"] == "sgd"].set_index("tau")["share"]
    assert steps.to_dict() == {1.0: 0.0, 10.0: 1.0}


def test_ranks_are_compared_with_enough_tasks_only():
    found = compare(*made_sweep(spread(tasks=3, gap=0.2), METHODS))
    assert found.ranks.reason == "3 tasks, 5 or more are needed"
    assert found.ranks.table["method"].tolist() == METHODS[::-1]
    found = compare(*made_sweep(spread(tasks=6, gap=0.2), METHODS))
    assert found.ranks.table["rank"].tolist() == [1, 2, 3]
    # Demsar's table 5: q for three methods is 2.343.
    assert found.ranks.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / 36), abs=1e-3)
    assert found.ranks.groups == [("sgd momentum=0.9", "sgd"), ("sgd", "random")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"measure": "speed"}, "measure=speed: expected a measure that was recorded"),
        ({"axis": "steps"}, "axis=steps: expected one of iteration"),
        ({"task": ["dataset.color"]}, "dataset.color: expected a column"),
        ({"method": "sweep_id"}, "method=made: expected two or more methods"),
        ({"target": {"vertical": 1.0}}, "target: expected a value for each task; spiral has none"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(change, said):
    with pytest.raises(ValueError, match=said):
        compare(*made_sweep(spread(), METHODS), **change)


def test_a_judgement_holds_all_costs_and_what_is_missing():
    runs, history = made_sweep(spread(gap=0.2, tasks=2), METHODS)
    runs.loc[0, "status"] = "failed"
    found = judge(runs.drop(index=1), history)
    assert list(found.comparisons) == ["iteration", "evaluations", "seconds"]
    assert found.headline.startswith("Best by validation loss: sgd momentum=0.9 at equal iterations")
    assert found.missing["status"].tolist() == ["failed", "missing"]
    assert "Cells of the grid without a finished run: 1 failed, 1 missing." in found.text
    assert "sgd is compared in 2 settings" in found.text
    assert found.text.count("At equal ") == 3


def test_runs_that_ended_early_keep_their_values_at_equal_cost():
    runs, history = made_sweep(spread(gap=0.2), METHODS)
    whole = compare(runs, history, axis="iteration")
    early = runs["run_id"].isin(["spiral-sgd-3", "spiral-random-5"])
    runs["stopped"] = np.where(early, "target", None)
    for name in runs.loc[early, "run_id"]:
        history = cut(history, name, 10)
    found = compare(runs, history, axis="iteration")
    assert found.at.tolist() == [100]
    rows = found.scores.set_index("run_id")
    for name in runs.loc[early, "run_id"]:
        last = history[history["run_id"] == name].iloc[-1]
        assert rows.loc[name, "value"] == last["val_loss"]
        assert rows.loc[name, "evaluations"] == last["evaluations"]
    others = ~found.scores["run_id"].isin(runs.loc[early, "run_id"])
    assert found.scores.loc[others, "value"].tolist() == whole.scores.loc[others, "value"].tolist()


def test_where_all_runs_ended_early_the_longest_one_is_the_cost():
    runs, history = made_sweep(spread(gap=0.2), METHODS)
    for name in runs["run_id"][1:]:
        history = cut(history, name, 10)
    found = compare(runs.assign(stopped="patience"), history, axis="iteration")
    assert found.at.tolist() == [100]
    assert found.scores["value"].notna().all()
    assert compare(runs, history, axis="iteration").at.tolist() == [10]
