"""Histograms of weights and gradients over time, for each layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnexp.inside.trajectory import Trajectory

Array = np.ndarray[Any, Any]


class Histogram(NamedTuple):
    """Counts ``(T, B)`` of one array's values between ``edges (B + 1,)``, at each snapshot.

    ``zeros (T,)`` is the share of values that are exactly zero. Gradients are counted by ``log10 |g|``, in which
    zeros have no place: they are in ``zeros`` only.
    """

    name: str
    iteration: Array
    edges: Array
    counts: Array
    zeros: Array


def weight_histograms(trajectory: Trajectory, bins: int = 40) -> list[Histogram]:
    """Histograms of each layer's weights and biases, in bins that all snapshots share."""
    layout = trajectory.problem.network.layout
    return [
        _histogram(name, trajectory.iteration, values.reshape(len(trajectory.theta), -1), bins, False)
        for name, values in layout.named(trajectory.theta.astype(np.float64)).items()
    ]


def gradient_histograms(trajectory: Trajectory, bins: int = 40) -> list[Histogram]:
    """Histograms of ``log10 |dL/dtheta|`` on all training data, of each layer's weights and biases.

    It is the gradient of the loss also where the method never asked for one.
    """
    layout = trajectory.problem.network.layout
    gradients = gradients_of(trajectory)
    return [
        _histogram(name, trajectory.iteration, values.reshape(len(gradients), -1), bins, True)
        for name, values in layout.named(gradients).items()
    ]


def gradients_of(trajectory: Trajectory) -> Array:
    """The full-batch gradient ``(T, P)`` at each snapshot, computed in batches of networks."""
    theta, problem = trajectory.theta, trajectory.problem
    step = max(1, problem.chunk() // 2)
    parts = []
    with np.errstate(all="ignore"):
        for at in range(0, len(theta), step):
            gradient = problem.score(theta[at : at + step], loss=False, gradient=True).gradient
            parts.append(np.array(gradient, np.float64))
    return np.concatenate(parts)


def _histogram(name: str, iteration: Array, values: Array, bins: int, log: bool) -> Histogram:
    zeros = (values == 0).mean(axis=1)
    if log:
        with np.errstate(divide="ignore"):
            values = np.log10(np.abs(values))
    known = np.isfinite(values)
    # Without a finite value, any bins will do.
    edges = np.histogram_bin_edges(values[known] if known.any() else np.zeros(1), bins=bins)
    counts = np.stack(
        [np.histogram(row[kept], bins=edges)[0] for row, kept in zip(values, known, strict=True)]
    )
    return Histogram(name, np.asarray(iteration), edges, counts, zeros)
