"""What every gradient-free method keeps, on plain functions and through the training of networks."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from required import need_module
from search_states import START, last, rosenbrock, sphere, states

from nnexp.config.error import ConfigError
from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import (
    CMAES,
    LBFGS,
    SAM,
    SPSA,
    Adam,
    EvolutionStrategy,
    Method,
    OpenAIES,
    RandomPerturbation,
    SearchMethod,
)
from nnexp.optim.schedules import Cosine
from nnexp.training import Budget, Group, Run, RunSettings, train

Array = np.ndarray[Any, Any]


def searches() -> list[Any]:
    """Every conf file of a gradient-free method."""
    found = [load_part("optimizer", name, Method) for name in options("optimizer")]
    return [pytest.param(one, id=one.name) for one in found if isinstance(one, SearchMethod)]


SEARCHES = searches()
KEEP_NO_BEST = ("openai_es", "spsa")


@pytest.fixture(autouse=True)
def _packages(request: pytest.FixtureRequest) -> None:
    if isinstance(
        request.node.callspec.params.get("method") if hasattr(request.node, "callspec") else None, CMAES
    ):
        need_module("cmaes", "cmaes")


SUITED: dict[str, tuple[dict[str, Any], float]] = {
    "random": ({"scale": 1.0}, 2.0),
    "perturb": ({}, 1e-2),
    "annealing": ({"cooling": 0.995}, 1e-2),
    "es": ({}, 1e-9),
    "openai_es": ({}, 1e-1),
    "sep_cma_es": ({}, 1e-9),
    "cma_es": ({}, 1e-9),
    "spsa": ({}, 1e-6),
    "differential_evolution": ({}, 1e-2),
    "coordinate": ({}, 1e-9),
}
"""Settings for the sphere, and how low its loss gets in 4,000 candidates from 10.9."""


@pytest.mark.parametrize("method", SEARCHES)
def test_a_method_gets_down_the_sphere(method: SearchMethod) -> None:
    changes, target = SUITED[method.name]
    found = last(replace(method, **changes), 4000, sphere)
    assert sphere(found.theta) < target
    assert found.loss == sphere(found.theta) or (np.isnan(found.loss) and method.name in KEEP_NO_BEST)


def test_the_one_fifth_rule_gets_down_the_sphere() -> None:
    assert last(RandomPerturbation(one_fifth=True), 4000, sphere).loss < 1e-9
    assert last(RandomPerturbation(), 4000, sphere).loss > 1e-6


@pytest.mark.parametrize("method", SEARCHES)
def test_no_result_depends_on_how_many_candidates_are_asked_for(method: SearchMethod) -> None:
    """So none depends on where a budget cuts a generation, nor on blocks."""
    sizes = np.random.default_rng(0)
    whole, pieces, single = (
        last(method, 333, most=most) for most in (lambda: 1000, lambda: int(sizes.integers(1, 9)), lambda: 1)
    )
    for other in (pieces, single):
        np.testing.assert_array_equal(whole.theta, other.theta)
        assert whole.loss == other.loss or (np.isnan(whole.loss) and np.isnan(other.loss))


@pytest.mark.parametrize("method", SEARCHES)
def test_a_saved_state_goes_on_as_if_nothing_happened(method: SearchMethod) -> None:
    found = last(method, 100)
    again = pickle.loads(pickle.dumps(found))
    for _ in range(20):
        found, again = (
            method.tell(state, asked, rosenbrock(asked))
            for state in (found, again)
            for asked in [method.ask(state, 7)]
        )
    np.testing.assert_array_equal(found.theta, again.theta)
    assert found.iteration == again.iteration > 100


@pytest.mark.parametrize("method", SEARCHES)
def test_a_seed_gives_one_trajectory_and_answers_never_change(method: SearchMethod) -> None:
    seen = [(state.theta, state.theta.copy()) for state in states(method, 200)]
    for (theta, copy), again in zip(seen, states(method, 200), strict=True):
        np.testing.assert_array_equal(theta, copy)
        np.testing.assert_array_equal(theta, again.theta)
    if method.name != "coordinate":  # it draws nothing
        assert not np.array_equal(seen[-1][0], last(method, 200, seed=4).theta)


@pytest.mark.parametrize("method", SEARCHES)
def test_a_generation_that_the_budget_cuts_is_scored_and_teaches_nothing(method: SearchMethod) -> None:
    asked = []

    def loss(theta: Array) -> Array:
        asked.extend(np.atleast_2d(theta))
        return rosenbrock(theta)

    method = replace(method, block=1) if hasattr(method, "block") else method
    found = last(method, 1, loss)
    assert found.iteration == len(asked) - 1 == 1
    if method.name in KEEP_NO_BEST:
        np.testing.assert_array_equal(found.theta, START)
        assert found.loss == rosenbrock(START)
    else:
        assert found.loss == min(rosenbrock(one) for one in asked)


@pytest.mark.parametrize("method", SEARCHES)
@pytest.mark.parametrize("bad", [nan, inf])
def test_losses_that_are_not_finite_are_passed_over(method: SearchMethod, bad: float) -> None:
    def holed(theta: Array) -> Array:
        return np.where(theta[..., 0] > -1.0, bad, rosenbrock(theta))

    def nowhere(theta: Array) -> Array:
        return np.where((theta == START).all(axis=-1), rosenbrock(theta), bad)

    found = last(method, 500, holed)
    assert np.isfinite(found.theta).all()
    if method.name not in KEEP_NO_BEST:
        assert found.theta[0] <= -1
        assert found.loss < rosenbrock(START) or method.name == "random"
    found = last(method, 100, nowhere)
    np.testing.assert_array_equal(found.theta, START)


def small(method: SearchMethod, seed: int = 0, iterations: int = 60, **options: Any) -> RunSettings:
    return RunSettings(
        seed=seed,
        architecture=MLP(hidden=[4], init_scale=0.5),
        dataset=Spiral(samples=9, test_samples=4),
        optimizer=method,
        budget=Budget(iterations=iterations),
        **options,
    )


def trained(settings: list[RunSettings]) -> list[Run]:
    group = Group.of(settings)
    for _ in group.train():
        pass
    return group.runs


@pytest.mark.parametrize("method", SEARCHES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_group_is_equal_to_each_alone(method: SearchMethod, dtype: Any) -> None:
    scaled = replace(method, scale=method.scale * 2)  # type: ignore[attr-defined]
    settings = [
        small(method, 0, 61, dtype=dtype),
        small(scaled, 1, 40, dtype=dtype),
        small(method, 2, 61, dtype=dtype, streams="independent"),
    ]
    for run, one in zip(trained(settings), settings, strict=True):
        (alone,) = trained([one])
        for name in ("iteration", "evaluations", "loss", "accuracy", "val_loss", "val_accuracy"):
            np.testing.assert_array_equal(getattr(run.history, name), getattr(alone.history, name), name)
        np.testing.assert_array_equal(run.final_theta, alone.final_theta)
        np.testing.assert_array_equal(run.best_theta, alone.best_theta)
        assert run.improvements == alone.improvements
        assert run.status == "finished"


@pytest.mark.parametrize("method", SEARCHES)
def test_rows_hold_the_answer_s_own_loss_and_the_best_weights_are_the_best_row_s(
    method: SearchMethod,
) -> None:
    (often,), (rarely,) = (train(small(method, 3, 120), every) for every in (1, 40))
    problem, rows = often.prepared.problem, often.history
    own = problem.evaluate(often.final_theta)
    assert (rows.loss[-1], rows.accuracy[-1]) == (own.loss, own.accuracy)
    assert often.best_loss == rows.loss.min() == problem.evaluate(often.best_theta).loss
    np.testing.assert_array_equal(rarely.history.loss, rows.loss[::40])
    np.testing.assert_array_equal(rarely.final_theta, often.final_theta)
    if method.name in KEEP_NO_BEST:
        assert often.improvements == []
    else:
        assert (np.diff(rows.loss) <= 0).all()
        assert [rows.loss[0], *(loss for _, loss in often.improvements)][-1] == rows.loss[-1]
    assert rows.evaluations[-1] >= rows.iteration[-1] + 1


def test_a_row_at_a_generation_s_end_has_the_answer_after_it() -> None:
    method = SPSA(0.5, 0.1)
    (run,) = train(small(method, 5, 8, dtype="float64"), 1)
    problem, start = run.prepared.problem, run.prepared.theta
    draws = Group.of(small(method, 5, 8, dtype="float64")).runs[0].prepared.draws
    assert draws is not None
    state = method.init(start, float(problem.score(start[None]).loss[0]), draws)
    expected = [problem.evaluate(state.theta).loss]
    for _ in range(8):
        asked = method.ask(state, 1)
        state = method.tell(state, asked, problem.score(asked).loss)
        expected.append(problem.evaluate(state.theta).loss)
    np.testing.assert_array_equal(run.history.loss, expected)
    assert len(set(expected)) == 5


def test_the_notebook_s_chance_gives_other_numbers_for_other_seeds() -> None:
    ends = [train(small(SPSA(), seed, 40, streams="notebook"))[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(ends[0].final_theta, ends[1].final_theta)
    signs = [one.prepared.draws.rng.integers(0, 2, 64) for one in ends if one.prepared.draws is not None]
    np.testing.assert_array_equal(signs[0], signs[1])
    assert not np.array_equal(signs[0], signs[2])


def test_cma_es_without_its_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(
        ConfigError, match=r"^optimizer=cma_es: the package cmaes is not installed; pip install 'nnexp"
    ):
        train(small(CMAES()))


def test_a_method_s_settings_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^openai_es.population=5: expected an even number"):
        OpenAIES(population=5)
    with pytest.raises(ConfigError, match=r"^es.parents=9: expected at most population, 8"):
        EvolutionStrategy(population=8, parents=9)
    with pytest.raises(
        ConfigError, match=r"^openai_es.update=sam: expected a method that needs one gradient"
    ):
        OpenAIES(update=SAM())
    with pytest.raises(
        ConfigError, match=r"^openai_es.update=lbfgs: expected a method that needs one gradient"
    ):
        OpenAIES(update=LBFGS())
    with pytest.raises(
        ConfigError, match=r"^openai_es.update.schedule=cosine: expected a schedule that does not need"
    ):
        OpenAIES(update=Adam(schedule=Cosine()))


def test_the_command_trains_and_records_them_all(nnexp: Any) -> None:
    need_module("cmaes", "cmaes")
    names = [parameter.id for parameter in SEARCHES]
    done = nnexp(
        "-m", f"optimizer={','.join(names)}", "budget.iterations=30", "dataset.samples=20", "tracking=lean",
        "architecture.hidden=[5]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f"{name}, seed 0" in done.stdout + done.stderr
    assert "failed" not in done.stdout + done.stderr
