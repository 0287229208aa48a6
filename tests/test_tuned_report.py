"""The report of a sweep of many settings: the best of each method first, and a page that stays small."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_sweeps import made_sweep

from nnexp.pictures.colors import OWN, looks
from nnexp.report.material import Material, judged
from nnexp.report.page import render
from nnexp.report.tables import failures
from nnexp.results import missing_cells
from nnexp.results.labels import cells
from nnexp.stats.trials import expected_best, trial_table, tuning_curves


def material(settings: int, seeds: int = 4, methods: tuple[str, ...] = ("sgd", "perturb")) -> Material:
    rng = np.random.default_rng(0)
    names = [f"{method} scale={0.001 * (at + 1):.3f}" for at in range(settings) for method in methods]
    worth = rng.random(len(names)) + 0.5
    answers = (worth[:, None] + 0.02 * rng.standard_normal((len(names), seeds)))[None]
    runs, history = made_sweep(answers, names, measure="val_loss")
    runs["optimizer.scale"] = [float(name.rpartition("=")[2]) for name in names for _ in range(seeds)]
    runs["optimizer.name"] = runs["method"]
    found = judged(runs, lambda chosen: history[history["run_id"].isin(set(chosen["run_id"]))])
    return Material(
        "made", "sqlite:///made.db", "nnexp", found.runs, found.history, missing_cells(found.every), "val_loss",
        found.judgement, found.why, None, found.every, found.selection,
    )  # fmt: skip


@pytest.fixture(scope="module")
def many() -> Material:
    return material(500, seeds=2)


def test_a_thousand_settings_open_at_their_answer_in_a_small_page(many: Material) -> None:
    page = render(many)
    assert len(page.encode()) < 5_000_000
    first, best = page.index("Best by validation loss"), page.index("The best of each method")
    assert first < best < page.index('id="curves"')
    lead = page[first : page.index("</p>", first)]
    assert len(lead) < 300
    assert "All 1000 settings, the best first" in page
    assert "1000 more runs are in the store." in page


def test_the_best_of_each_method_is_judged_on_seeds_that_did_not_choose_it(many: Material) -> None:
    assert many.selection is not None
    assert many.selection.costs["settings"].tolist() == [500, 500]
    assert set(many.runs["seed"]) == {1}
    assert set(many.all_runs["seed"]) == {0, 1}
    assert sorted(many.methods) == ["perturb", "sgd"]
    worth = many.all_runs.groupby("variant")["val_loss"].mean()
    for method, own in many.runs.groupby("method"):
        mine = worth[worth.index.str.startswith(str(method))]
        assert own["val_loss"].mean() < mine.quantile(0.05)


def test_few_settings_are_compared_with_one_another() -> None:
    few = material(6)
    assert few.selection is None
    assert len(few.methods) == 12


def test_what_pruning_left_out_is_called_so(many: Material) -> None:
    missing = missing_cells(many.all_runs.iloc[:-1]).assign(status="pruned")
    table = failures(dataclasses.replace(many, missing=missing), {})
    assert {row[3].text for row in table.rows} == {"pruned"}
    assert table.note.startswith("Pruned: skipped, because")


def test_the_expected_best_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(20) ** 3
    for higher, choose in ((False, np.min), (True, np.max)):
        curve = expected_best(values, higher)
        for n in (1, 2, 7, 20):
            drawn = choose(values[rng.integers(20, size=(40_000, n))], axis=1)
            assert abs(curve[n - 1] - drawn.mean()) < 5 * drawn.std() / 200
    assert expected_best(values)[0] == pytest.approx(values.mean())


def test_the_interval_of_the_expected_best_holds_it(many: Material) -> None:
    table = tuning_curves(trial_table(cells(many.all_runs)))
    assert table.groupby("method")["trials"].max().tolist() == [500, 500]
    assert (table["low"] <= table["best"]).all()
    assert (table["best"] <= table["high"]).all()
    for _, own in table.groupby("method"):
        assert (np.diff(own["best"]) <= 1e-12).all()


def test_a_trial_that_never_finished_has_no_value() -> None:
    runs = pd.DataFrame(
        {
            "task": "t",
            "method": "sgd",
            "variant": ["a", "a", "b"],
            "status": ["finished", "finished", "failed"],
        }
    ).assign(val_loss=[1.0, 3.0, 0.0])
    table = trial_table(runs, "val_loss")
    assert table["variant"].tolist() == ["a", "b"]
    assert table["value"].iloc[0] == 2
    assert np.isnan(table["value"].iloc[1])


def test_every_method_has_a_look_of_its_own() -> None:
    from nnexp.config.places import groups

    shown = looks(groups()["optimizer"])
    assert set(shown) <= set(OWN)
    assert len({(look.color, look.dash) for look in shown.values()}) == len(shown)
    assert len({(look.color, look.marker) for look in shown.values()}) == len(shown)
