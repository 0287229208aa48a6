"""Each gradient-free method beside a plain rendering of its paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from required import need_module
from search_papers import PAPERS, difference
from search_states import last, states

from nnexp.config.places import options
from nnexp.config.settings import load_part
from nnexp.optim import Adam, Method, OpenAIES, SearchMethod

CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in PAPERS),
    ("perturb", {"block": 1}),
    ("perturb_one_fifth", {"block": 1}),
    ("annealing", {"block": 1}),
    ("differential_evolution", {"base": "best"}),
]


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_a_search_is_its_paper_s(name: str, settings: dict[str, Any]) -> None:
    if name == "cma_es":
        need_module("cmaes", "cmaes")
    assert difference(PAPERS[name](**settings)) < 1e-12


def test_every_search_has_its_paper() -> None:
    parts = {name: load_part("optimizer", name, Method) for name in options("optimizer")}
    assert {name for name, part in parts.items() if isinstance(part, SearchMethod)} <= set(PAPERS)


def test_openai_es_takes_the_answer_of_its_gradient_method() -> None:
    plain, averaged = (
        last(OpenAIES(0.02, 0.1, 8, Adam(weight_decay=0.1, clip_norm=1.0, average=average)), 80)
        for average in (None, "polyak")
    )
    thetas = [
        state.memory.memory.theta
        for state in states(OpenAIES(0.02, 0.1, 8, Adam(weight_decay=0.1, clip_norm=1.0)), 80)
    ]
    np.testing.assert_array_equal(plain.theta, thetas[-1])
    np.testing.assert_allclose(averaged.theta, np.mean(thetas[1:], axis=0), rtol=1e-12)
