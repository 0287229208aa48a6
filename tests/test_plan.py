"""Which jobs of a sweep are trained together."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnexp.config.schema import Config
from nnexp.network import MLP
from nnexp.optim import SGD, RandomPerturbation, RandomSearch
from nnexp.sweep.plan import plan
from nnexp.training.group import MOST_RUNS, chunk, key

OPTIMIZERS = {"random": RandomSearch(), "perturb": RandomPerturbation(), "sgd": SGD()}


def jobs(seeds: int, *methods: str, hidden: tuple[int, ...] = (3,)) -> list[Config]:
    architecture = MLP(hidden=list(hidden))
    return [
        Config(seed=seed, optimizer=OPTIMIZERS[method], architecture=architecture)
        for method in methods
        for seed in range(seeds)
    ]


@given(
    methods=st.lists(st.sampled_from(sorted(OPTIMIZERS)), unique=True),
    seeds=st.integers(1, 40),
    workers=st.integers(1, 5),
    most=st.sampled_from([None, 1, 3, 50]),
)
def test_every_job_is_in_one_group_of_its_kind(methods, seeds, workers, most):
    configs = jobs(seeds, *methods)
    groups = plan(configs, workers, most)
    assert sorted(position for group in groups for position in group) == list(range(len(configs)))
    for group in groups:
        assert len({key(configs[position]) for position in group}) == 1
        assert group == sorted(group)
    sizes = [len(group) for group in groups]
    assert sizes[:1] == sorted(sizes, reverse=True)[:1]
    if workers == 1:
        assert sizes == sorted(sizes, reverse=True)
    assert max(sizes, default=0) <= (most or MOST_RUNS)


@pytest.mark.parametrize("hidden", [3, 64])
def test_gradient_runs_are_one_group_a_worker_where_searches_fill_the_end(hidden):
    configs = jobs(100, "random", "perturb", "sgd", hidden=(hidden,))
    groups = plan(configs, 2)
    methods = [configs[group[0]].optimizer.name for group in groups]
    assert Counter(methods) == {"sgd": 2, "random": 13, "perturb": 13}
    alone = plan(jobs(100, "sgd", hidden=(hidden,)), 2)
    assert [len(group) for group in alone] == [25] * 4


def test_a_lone_worker_trains_as_many_as_the_cache_takes():
    (config,) = jobs(1, "sgd", hidden=(256,))
    assert len(plan([config] * 100)[0]) == pytest.approx(chunk(config), abs=2)
    assert plan([]) == []


def test_one_of_two_workers_begins_with_what_is_soon_to_be_recorded():
    configs = jobs(100, "random", "perturb", "sgd")
    groups = plan(configs, 2)
    large = [at for at, group in enumerate(groups) if configs[group[0]].optimizer.name == "sgd"]
    # While one trains the first large group, the other trains about as many runs in small ones.
    assert large[0] == 0
    assert sum(map(len, groups[1 : large[1]])) == pytest.approx(len(groups[0]), abs=8)
    # Small ones at the end let both end together.
    assert {len(group) for group in groups[large[1] + 1 :]} <= {8, 4}


def test_runs_alone_go_seed_by_seed_in_a_drawn_order_so_that_a_slow_worker_slows_all_methods():
    configs = jobs(400, "random", "sgd")
    order = [position for [position] in plan(configs, workers=2, most=1)]
    assert order == [position for [position] in plan(configs, workers=1, most=1)]
    assert [configs[position].seed for position in order] == sorted([*range(400)] * 2)
    # Two workers that take turns: a binomial count with 400 draws of a half has a standard deviation of 10.
    first = [configs[position].optimizer.name for position in order[::2]]
    assert first.count("random") == pytest.approx(200, abs=40)
    # Nor does one seed's order tell the next one's.
    changes = sum(one != other for one, other in pairwise(first))
    assert changes == pytest.approx(200, abs=40)
