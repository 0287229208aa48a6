"""Tuned settings are chosen on other seeds than those compared, and their cost is stated."""

from __future__ import annotations

import numpy as np
import pytest
from made_sweeps import made_sweep

from nnexp.stats import judge, select_best

METHODS = ["random", "sgd learning_rate=0.1", "sgd learning_rate=1", "sgd learning_rate=3"]


def answers(seeds: int = 12) -> np.ndarray:
    means = np.array([0.9, 0.6, 0.4, 0.7])[:, None]
    return (means + np.random.default_rng(0).normal(0, 0.05, (4, seeds)))[None]


def test_the_chosen_setting_is_compared_on_the_seeds_that_did_not_choose_it():
    runs, history = made_sweep(answers(), METHODS)
    found = select_best(runs)
    assert set(found.runs["seed"]) == set(range(6, 12))
    costs = found.costs.set_index("method")
    assert costs["chosen"].to_dict() == {"random": "random", "sgd": "sgd learning_rate=1"}
    assert costs["settings"].tolist() == [1, 3]
    assert costs.loc["sgd", ["runs", "evaluations", "seconds"]].tolist() == [18, 18 * 300, pytest.approx(54)]
    assert costs.loc["random", "runs"] == 0
    assert found.warnings == ["Tuned against default: sgd among 3 settings, but random had one."]
    told = judge(found.runs, history)
    assert told.comparisons["iteration"].methods == ["sgd", "random"]
    assert (
        "sgd was chosen among 3 settings on other seeds, at a cost of 18 runs, 5,400 evaluations" in told.text
    )
    assert told.tuning.set_index("method")["tuned"].to_dict() == {"random": False, "sgd": True}


def test_choosing_on_the_seeds_that_are_compared_is_warned_of():
    runs, _ = made_sweep(answers(4), METHODS)
    for found in (select_best(runs, seeds=range(4)), select_best(runs[runs["seed"] == 0])):
        assert found.warnings[0].startswith("Settings were chosen on the seeds that are compared")
        assert not found.runs.empty


def test_a_setting_that_diverged_while_tuned_is_not_chosen():
    runs, _ = made_sweep(answers(), METHODS)
    runs.loc[runs["run_id"] == "spiral-sgd-learning_rate=1-2", "status"] = "diverged"
    assert select_best(runs).costs.set_index("method")["chosen"]["sgd"] == "sgd learning_rate=0.1"
    assert select_best(runs, seeds=[3, 4]).costs.set_index("method")["chosen"]["sgd"] == "sgd learning_rate=1"


def test_the_noise_of_choosing_does_not_reach_the_comparison():
    """Settings that are all alike: the best of them looks better where it was chosen, and not on new seeds."""
    looks, is_so = [], []
    for number in range(60):
        noise = np.random.default_rng(number).normal(0, 1, (1, 6, 8))
        runs, _ = made_sweep(noise, ["random", *(f"sgd learning_rate={n}" for n in range(1, 6))])
        found = select_best(runs)
        chosen = runs["optimizer.learning_rate"] == float(found.costs["chosen"][1].rpartition("=")[2])
        looks.append(runs.loc[chosen & (runs["seed"] < 4), "val_loss"].mean())
        is_so.append(found.runs.loc[found.runs["method"] == "sgd", "val_loss"].mean())
    assert np.mean(looks) < -0.3
    assert np.mean(is_so) == pytest.approx(0, abs=3 * 0.5 / np.sqrt(60))


def test_an_unknown_measure_is_said():
    with pytest.raises(ValueError, match="measure=speed: expected a measure that was recorded"):
        select_best(made_sweep(answers(), METHODS)[0], measure="speed")


def test_settings_kept_apart_are_methods_that_are_tuned_on_their_own():
    names = [f"sgd learning_rate={rate} momentum={share}" for share in ("0", "0.9") for rate in ("0.1", "1")]
    means = np.array([0.9, 0.5, 0.3, 0.8])[:, None]
    runs, history = made_sweep((means + np.random.default_rng(0).normal(0, 0.02, (4, 12)))[None], names)
    found = select_best(runs, apart=["optimizer.momentum"])
    assert found.costs.set_index("method")["chosen"].to_dict() == {
        "sgd": "sgd learning_rate=1",
        "sgd momentum=0.9": "sgd learning_rate=0.1 momentum=0.9",
    }
    assert found.warnings == []
    told = judge(found.runs, history)
    assert told.tuning[["method", "settings", "runs"]].to_numpy().tolist() == [
        ["sgd", 2, 12],
        ["sgd momentum=0.9", 2, 12],
    ]
    assert told.comparisons["iteration"].methods[0] == "sgd learning_rate=0.1 momentum=0.9"
