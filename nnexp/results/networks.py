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
from nnexp.tracking.files import WEIGHTS_FILE

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

    def read(file: Path) -> tuple[dict[str, Any], dict[str, Array]]:
        start = f"{weights}/"
        with np.load(file, allow_pickle=False) as arrays:
            named = {name.removeprefix(start): arrays[name] for name in arrays if name.startswith(start)}
            return json.loads(arrays["layout"].tobytes())["network"], named

    said, named = required_artifact(client, run_id, WEIGHTS_FILE, read)
    architecture = load_part("architecture", said["architecture"], Architecture, modules)
    network = architecture.network(said["features"], said["outputs"], said["dtype"], said["accumulate"])
    return network, network.layout.join(named, network.dtype)
