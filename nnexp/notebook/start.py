"""The notebook's initial weights and noise, in the order of its draws."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnexp.config.settings import ConfigError
from nnexp.network.architecture import MLP, Architecture
from nnexp.network.network import Network
from nnexp.optim import Method, RandomPerturbation
from nnexp.optim.draws import Draws, Stream

Array = np.ndarray[Any, Any]


def notebook_start(
    seed: int, architecture: Architecture, network: Network, method: Method, iterations: int | None
) -> tuple[Array, Draws]:
    """Initial theta ``(P,)`` and noise in the order of the notebook's draws, all from one legacy generator.

    The notebook draws a layer of (2, 3); the networks of the forward passes without and with a loss; random search's
    network and candidates; perturbation's network and steps.

    Args:
        iterations: of the budget, as many as random search had before perturbation.

    Raises:
        ConfigError: an architecture that the notebook does not have, or perturbation without a number of iterations.
    """
    if not isinstance(architecture, MLP):
        raise ConfigError(f"architecture={architecture.name}: expected dense layers for streams=notebook")
    # The notebook has these two searches, in this order.
    after_random_search = isinstance(method, RandomPerturbation)
    if after_random_search and iterations is None:
        raise ConfigError(
            "budget.iterations=null: expected a number with streams=notebook, where perturbation's draws follow "
            "random search's"
        )
    state = np.random.RandomState(seed)
    layout, scale = network.layout, network.dtype.type(architecture.init_scale or 0)

    def initial() -> Array:
        named = {
            name: scale * state.randn(*view.shape).astype(np.float32)
            if name.endswith("weights")
            else np.zeros(view.shape)
            for name, view in layout.named(np.empty(layout.size)).items()
        }
        return layout.join(named, network.dtype)

    state.randn(3, 2)
    for _ in range(2):
        initial()
    theta = initial()
    if after_random_search:
        for _ in range(iterations or 0):
            state.randn(layout.size)
        theta = initial()
    return architecture.given(layout, theta), legacy_draws(state, layout.order, network.dtype, seed)


def legacy_draws(state: np.random.RandomState, order: Array, dtype: Any, seed: int) -> Draws:
    """Vectors from ``numpy.random.RandomState.randn`` rounded to float32, reordered by ``order (P,)``.

    Element ``order[i]`` of theta is the i-th draw: layers' arrays in the order of their names.

    Args:
        seed: for uniform numbers and integers, which the notebook does not draw.
    """
    normals = Stream(partial(_legacy_normal, state, np.argsort(order)), len(order), dtype, state)
    return Draws(normals, np.random.default_rng(seed))


def _legacy_normal(state: np.random.RandomState, inverse: Array, out: Array) -> None:
    np.copyto(out, state.randn(*out.shape).astype(np.float32)[:, inverse])
