"""The network that a run trained, with its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nnexp.config.settings import load_part
from nnexp.network import Architecture, Network
from nnexp.results.artifacts import required_artifact
from nnexp.results.client import connect

Array = np.ndarray[Any, Any]


def load_network(
    run_id: str,
    uri: str | None = None,
    weights: Literal["best", "final"] = "best",
    modules: Sequence[str] = (),
) -> tuple[Network, Array]:
    """The network of a recorded run and its theta ``(P,)``.

    ``network.forward(theta, x)`` gives outputs ``(C, N)`` for ``x (F, N)``, and ``network.layout.named(theta)`` the
    weights of each layer by name.

    Args:
        weights: ``best``: of the row with the lowest validation loss, or training loss without validation data;
            ``final``: the last.
        modules: top-level modules outside nnexp that the network's parts may be imported from.

    Raises:
        StoreError: no such store, or no weights in the run.
        ConfigError: a part that is not there, or is outside nnexp and not in ``modules``.
    """
    client, _ = connect(uri)

    def described(file: Path) -> dict[str, Any]:
        return dict(json.loads(file.read_text("utf-8"))["network"])

    said = required_artifact(client, run_id, "weights/layout.json", described)
    architecture = load_part("architecture", said["architecture"], Architecture, modules)
    network = architecture.network(said["features"], said["outputs"], said["dtype"], said["accumulate"])

    def read(file: Path) -> Array:
        with np.load(file, allow_pickle=False) as arrays:
            return network.layout.join(dict(arrays), network.dtype)

    return network, required_artifact(client, run_id, f"weights/{weights}.npz", read)
