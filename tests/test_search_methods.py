"""Gradient-free methods: each beside a plain rendering of its paper, and what all of them keep."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import exp, inf, nan, sqrt
from typing import Any

import numpy as np
import pytest
from required import need_module

from nnexp.config.error import ConfigError
from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.data import Spiral
from nnexp.network import MLP
from nnexp.optim import (
    CMAES,
    SGD,
    SPSA,
    Annealing,
    CoordinateSearch,
    DifferentialEvolution,
    EvolutionStrategy,
    Method,
    OpenAIES,
    RandomPerturbation,
    SearchMethod,
    SeparableCMAES,
    State,
)
from nnexp.optim.draws import Draws, draws_from
from nnexp.training import Budget, Group, Run, RunSettings, train

Array = np.ndarray[Any, Any]

SIZE = 6
START = np.linspace(-1.2, 1.0, SIZE)


def rosenbrock(theta: Array) -> Array:
    x, y = theta[..., :-1], theta[..., 1:]
    return (100 * (y - x**2) ** 2 + (1 - x) ** 2).sum(axis=-1)


def sphere(theta: Array) -> Array:
    return ((theta - 1) ** 2).sum(axis=-1)


def chance(seed: int) -> Draws:
    return draws_from(np.random.default_rng(seed), SIZE, np.float64)


def plain_chance(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Where a run's normal vectors come from, and its other numbers."""
    rng = np.random.default_rng(seed)
    (child,) = rng.bit_generator.seed_seq.spawn(1)
    return rng, np.random.default_rng(child)


def states(
    method: SearchMethod,
    iterations: int,
    loss: Callable[[Array], Array] = rosenbrock,
    seed: int = 3,
    most: Callable[[], int] = lambda: 1000,
) -> Iterator[State]:
    """The state at the start, and after each tell."""
    with np.errstate(all="ignore"):
        state = method.init(START, float(loss(START)), chance(seed))
        yield state
        while state.iteration < iterations:
            asked = method.ask(state, min(most(), iterations - state.iteration))
            state = method.tell(state, asked, loss(asked))
            yield state


def last(*arguments: Any, **options: Any) -> State:
    *_, state = states(*arguments, **options)
    return state


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


def close(one: Array, other: Array) -> None:
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [1, 16])
def test_annealing_is_the_metropolis_walk_at_a_falling_temperature(block: int) -> None:
    method = Annealing(scale=0.1, temperature=20.0, cooling=0.98, block=block)
    normal, uniform = plain_chance(3)
    theta, value = START, float(rosenbrock(START))
    best, best_value, uphill, temperature = theta, value, 0, 20.0
    for _ in range(400):
        candidate = theta + 0.1 * normal.standard_normal(SIZE)
        new, u = float(rosenbrock(candidate)), uniform.random()
        if new <= value or u < exp(-(new - value) / temperature):
            uphill += new > value
            theta, value = candidate, new
        if new < best_value:
            best, best_value = candidate, new
        temperature *= 0.98
    found = last(method, 400)
    close(found.theta, best)
    close(found.memory.current, theta)
    assert uphill > 20


@pytest.mark.parametrize("block", [1, 64])
def test_the_one_fifth_rule_adapts_the_scale_after_each_step(block: int) -> None:
    normal, _ = plain_chance(3)
    theta, value, scale, d = START, float(rosenbrock(START)), 0.5, sqrt(SIZE + 1)
    for _ in range(500):
        candidate = theta + scale * normal.standard_normal(SIZE)
        new = float(rosenbrock(candidate))
        success = new < value
        scale *= exp((success - 0.2) / d)
        if success:
            theta, value = candidate, new
    found = last(RandomPerturbation(0.5, one_fifth=True, block=block), 500)
    close(found.theta, theta)
    assert scale < 0.1


def test_the_evolution_strategy_is_the_paper_s() -> None:
    lam, mu, generations = 12, 3, 40
    normal, _ = plain_chance(3)
    mean, sigma, path = START.copy(), 0.3, np.zeros(SIZE)
    c, d = sqrt(mu / (SIZE + mu)), 1 + sqrt(mu / SIZE)
    expected = sqrt(SIZE) * (1 - 1 / (4 * SIZE) + 1 / (21 * SIZE**2))
    best = (float(rosenbrock(START)), START)
    for _ in range(generations):
        offspring = []
        for _ in range(lam):
            z = normal.standard_normal(SIZE)
            x = mean + sigma * z
            offspring.append((float(rosenbrock(x)), z, x))
        offspring.sort(key=lambda one: one[0])
        best = min(best, (offspring[0][0], offspring[0][2]), key=lambda one: one[0])
        z = sum(one[1] for one in offspring[:mu]) / mu
        path = (1 - c) * path + sqrt(c * (2 - c) * mu) * z
        mean = mean + sigma * z
        sigma *= exp(c / d * (np.linalg.norm(path) / expected - 1))
    found = last(EvolutionStrategy(0.3, population=lam, parents=mu), lam * generations)
    close(found.memory.memory.mean, mean)
    close(found.memory.memory.sigma, sigma)
    close(found.theta, best[1])
    assert found.loss == best[0]


def test_separable_cma_es_is_the_paper_s() -> None:
    lam, generations, n = 10, 60, SIZE
    normal, _ = plain_chance(3)
    mu = lam // 2
    w = np.array([np.log(mu + 1) - np.log(i) for i in range(1, mu + 1)])
    w /= w.sum()
    mueff = 1 / (w**2).sum()
    cs, cc = (mueff + 2) / (n + mueff + 3), 4 / (n + 4)
    ds = 1 + 2 * max(0, sqrt((mueff - 1) / (n + 1)) - 1) + cs
    ccov = 2 / mueff / (n + sqrt(2)) ** 2 + (1 - 1 / mueff) * min(1, (2 * mueff - 1) / ((n + 2) ** 2 + mueff))
    ccov *= (n + 2) / 3
    expected = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    mean, sigma, v, ps, pc = START.copy(), 0.3, np.ones(n), np.zeros(n), np.zeros(n)
    for g in range(generations):
        z = normal.standard_normal((lam, n))
        y = np.sqrt(v) * z
        order = np.argsort(rosenbrock(mean + sigma * y))[:mu]
        zw = sum(w[i] * z[k] for i, k in enumerate(order))
        yw = sum(w[i] * y[k] for i, k in enumerate(order))
        mean = mean + sigma * yw
        ps = (1 - cs) * ps + sqrt(cs * (2 - cs) * mueff) * zw
        length = np.linalg.norm(ps)
        h = length / sqrt(1 - (1 - cs) ** (2 * (g + 1))) < (1.4 + 2 / (n + 1)) * expected
        pc = (1 - cc) * pc + (sqrt(cc * (2 - cc) * mueff) * yw if h else 0)
        rank_mu = sum(w[i] * y[k] ** 2 for i, k in enumerate(order))
        v = (1 - ccov) * v + ccov / mueff * pc**2 + ccov * (1 - 1 / mueff) * rank_mu
        sigma *= exp(cs / ds * (length / expected - 1))
    found = last(SeparableCMAES(0.3, population=lam), lam * generations).memory.memory
    close(found.mean, mean)
    close(found.variances, v)
    close(found.sigma, sigma)
    assert v.max() > 1.5 * v.min()


class _Normals:
    """Stands where the package has its own generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def randn(self, size: int) -> Array:
        return self._rng.standard_normal(size)


def test_cma_es_is_the_package_s() -> None:
    need_module("cmaes", "cmaes")
    from cmaes import CMA

    other = CMA(START, 0.3, population_size=9)
    other._rng = _Normals(plain_chance(3)[0])
    best = (float(rosenbrock(START)), START)
    for _ in range(60):
        asked = [other.ask() for _ in range(9)]
        told = [(x, float(rosenbrock(x))) for x in asked]
        best = min([best, *((value, x) for x, value in told)], key=lambda one: one[0])
        other.tell(told)
    found = last(CMAES(0.3, population=9), 9 * 60)
    own = found.memory.memory.optimizer
    # Products are taken in another order.
    np.testing.assert_allclose(own.mean, other.mean, rtol=1e-9)
    np.testing.assert_allclose(own._C, other._C, rtol=1e-8)
    np.testing.assert_allclose(found.theta, best[1], rtol=1e-9)


def test_cma_es_without_its_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(
        ConfigError, match=r"^optimizer=cma_es: the package cmaes is not installed; pip install 'nnexp"
    ):
        train(small(CMAES()))


def test_openai_es_is_a_gradient_of_ranks_for_a_gradient_method() -> None:
    pairs, scale, rate = 4, 0.1, 0.02
    normal, _ = plain_chance(3)
    theta, velocity = START.copy(), np.zeros(SIZE)
    for _ in range(50):
        noise = normal.standard_normal((pairs, SIZE))
        losses = [float(rosenbrock(theta + sign * scale * e)) for sign in (1, -1) for e in noise]
        ranks = np.empty(2 * pairs)
        ranks[np.argsort(losses)] = np.arange(2 * pairs) / (2 * pairs - 1) - 0.5
        gradient = sum((ranks[i] - ranks[pairs + i]) * noise[i] for i in range(pairs)) / (2 * pairs * scale)
        velocity = 0.9 * velocity + gradient
        theta = theta - rate * velocity
    method = OpenAIES(rate, scale, 2 * pairs, SGD(momentum=0.9))
    found = last(method, 50 * 2 * pairs)
    close(found.theta, theta)
    assert np.isnan(found.loss)


def test_spsa_is_the_paper_s() -> None:
    _, rng = plain_chance(3)
    theta, a, big_a, c = START.copy(), 0.0002, 30.0, 0.05
    for k in range(200):
        signs = np.where(rng.integers(0, 2, SIZE) == 1, 1.0, -1.0)
        ak, ck = a * (big_a + 1) ** 0.602 / (big_a + k + 1) ** 0.602, c / (k + 1) ** 0.101
        difference = float(rosenbrock(theta + ck * signs)) - float(rosenbrock(theta - ck * signs))
        theta = theta - ak * difference / (2 * ck) / signs
    found = last(SPSA(a, c, big_a), 400)
    close(found.theta, theta)
    assert np.isnan(found.loss)
    assert rosenbrock(theta) < rosenbrock(START) / 2


@pytest.mark.parametrize("base", ["random", "best"])
def test_differential_evolution_is_the_paper_s(base: str) -> None:
    count, weight, crossover = 8, 0.7, 0.6
    normal, rng = plain_chance(3)
    members = [START + 0.3 * normal.standard_normal(SIZE) for _ in range(count)]
    losses = [float(rosenbrock(x)) for x in members]
    for _ in range(40):
        others = rng.permuted(np.tile(np.arange(count - 1), (count, 1)), axis=1)[:, :3]
        uniform, forced = rng.random((count, SIZE)), rng.integers(0, SIZE, count)
        trials = []
        for i in range(count):
            r1, r2, r3 = ([k for k in range(count) if k != i][k] for k in others[i])
            start = members[int(np.argmin(losses))] if base == "best" else members[r1]
            mutant = start + weight * (members[r2] - members[r3])
            taken = [uniform[i, j] < crossover or j == forced[i] for j in range(SIZE)]
            trials.append(np.array([mutant[j] if taken[j] else members[i][j] for j in range(SIZE)]))
        for i, trial in enumerate(trials):
            if (new := float(rosenbrock(trial))) <= losses[i]:
                members[i], losses[i] = trial, new
    method = DifferentialEvolution(0.3, count, weight, crossover, base)  # type: ignore[arg-type]
    found = last(method, 41 * count)
    close(found.memory.memory.members, np.array(members))
    assert found.loss == min(losses)


def test_coordinate_search_is_the_paper_s() -> None:
    theta, value, steps = START.copy(), float(rosenbrock(START)), [0.2] * SIZE
    for k in range(400):
        j = k % SIZE
        candidate = theta.copy()
        candidate[j] += steps[j]
        if (new := float(rosenbrock(candidate))) < value:
            theta, value = candidate, new
            steps[j] *= 3
        else:
            steps[j] *= -0.5
    found = last(CoordinateSearch(0.2), 400)
    close(found.theta, theta)
    close(found.memory.steps, np.array(steps))


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


def test_a_method_s_settings_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^openai_es.population=5: expected an even number"):
        OpenAIES(population=5)
    with pytest.raises(ConfigError, match=r"^es.parents=9: expected at most population, 8"):
        EvolutionStrategy(population=8, parents=9)


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
