"""A run's pictures: figures as files, and its decision boundary during training."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from nnexp.pictures import one_run as plots
from nnexp.pictures.predictions import predictions

Array = np.ndarray[Any, Any]

MOST_IMAGES = 10
"""Most images of a run's boundary; MLflow keeps two files of each."""


def figures(trained: Any, method: str) -> dict[str, bytes]:
    """Learning curves, weight histograms and what the network predicts, as PNG by path.

    For classes of 2-D inputs the last is the decision boundary, else :func:`nnexp.pictures.predictions.predictions`.
    """
    problem, snapshots = trained.prepared.problem, trained.snapshots
    drawn = {"learning_curves": plots.learning_curves(trained.history, method)}
    thetas = {"start": snapshots.theta[0], "end": trained.final_theta}
    drawn["weight_histograms"] = plots.weight_histograms(problem.network.layout, thetas)
    # A diverged network predicts nothing.
    if np.isfinite(trained.final_theta).all():
        if plots.has_boundary(problem):
            drawn["decision_boundary"] = plots.decision_boundary(problem, trained.final_theta)
        else:
            drawn |= predictions(problem, trained.final_theta)
    found = {}
    for name, figure in drawn.items():
        out = io.BytesIO()
        figure.savefig(out, format="png")
        found[f"figures/{name}.png"] = out.getvalue()
    return found


def boundary_steps(trained: Any, most: int = MOST_IMAGES) -> Iterator[tuple[int, Array]]:
    """Pairs of iteration and boundary image for the snapshots, thinned to ``most``; none without a boundary."""
    problem, snapshots = trained.prepared.problem, trained.snapshots
    if not plots.has_boundary(problem):
        return
    count = len(snapshots.iteration)
    chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
    for at in chosen.tolist():
        if np.isfinite(snapshots.theta[at]).all():
            yield int(snapshots.iteration[at]), plots.boundary_image(problem, snapshots.theta[at])
