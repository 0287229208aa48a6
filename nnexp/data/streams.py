"""Named, independent random generators from one seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

NAMES = ("dataset", "split", "init", "batches", "method", "dropout")


def streams(seed: int, overrides: Mapping[str, int | None] | None = None) -> dict[str, np.random.Generator]:
    """A generator for each use of random numbers: dataset, split, init, batches, method and dropout.

    Child ``i`` of ``SeedSequence(seed)`` feeds the i-th name, so every method of a sweep starts from the
    same data and the same weights; an override replaces one name's seed and leaves the others alone.

    Raises:
        ValueError: an override's name is unknown.
    """
    given = dict(overrides or {})
    if unknown := set(given) - set(NAMES):
        raise ValueError(f"seeds={sorted(unknown)}: expected some of {', '.join(NAMES)}")
    generators = {}
    for index, name in enumerate(NAMES):
        own = given.get(name)
        root = seed if own is None else own
        generators[name] = np.random.default_rng(np.random.SeedSequence(root, spawn_key=(index,)))
    return generators
