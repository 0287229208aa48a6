"""The decision boundary of a classifier of 2-D inputs, as pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnexp.calls import run
from nnexp.network.network import with_ones
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]

COLORS = np.array(
    [
        [0, 114, 178],
        [213, 94, 0],
        [0, 158, 115],
        [204, 121, 167],
        [230, 159, 0],
        [86, 180, 233],
        [60, 30, 220],
        [68, 68, 68],
    ],
    np.float32,
)
"""The colours of classes, as in :mod:`nnexp.pictures.style`, red, green and blue from 0 to 255."""

CHUNK_BYTES = 1 << 20
"""Largest size of the activations that are computed at once."""


def has_boundary(problem: Problem) -> bool:
    """Whether inputs are 2-D, without a run axis, and targets are classes."""
    return problem.train.x.ndim == 2 and problem.train.x.shape[0] == 2 and _labels(problem) is not None


def extent(problem: Problem) -> tuple[float, float, float, float]:
    """Left, right, low and high end of the picture: the training data with a margin of 8 %."""
    x = np.asarray(problem.train.x, np.float64)
    low, high = x.min(axis=1), x.max(axis=1)
    margin = 0.08 * np.maximum(high - low, 1e-6)
    return (
        float(low[0] - margin[0]),
        float(high[0] + margin[0]),
        float(low[1] - margin[1]),
        float(high[1] + margin[1]),
    )


def boundary_classes(problem: Problem, theta: Array, size: int = 200) -> tuple[Array, Array]:
    """The predicted class of theta ``(..., P)`` at each pixel and its sureness, each ``(..., size, size)``.

    Sureness is from 0, all classes equal, to 1, and is 1 where outputs are not probabilities; row 0 is at the
    top of :func:`extent`. Pixels are computed in pieces whose activations fit into :data:`CHUNK_BYTES`.

    Raises:
        ValueError: inputs that are not 2-D, or targets that are not classes.
    """
    if not has_boundary(problem):
        shape = problem.train.x.shape
        raise ValueError(
            f"inputs of shape {shape}: expected two features, and classes as targets, for a decision boundary"
        )
    left, right, low, high = extent(problem)
    across = left + (np.arange(size) + 0.5) * (right - left) / size
    down = high - (np.arange(size) + 0.5) * (high - low) / size
    grid = np.stack(np.broadcast_arrays(across[None, :], down[:, None])).reshape(2, -1)
    network = problem.network
    thetas = np.asarray(theta, network.dtype).reshape(-1, theta.shape[-1])
    each = network.dtype.itemsize * grid.shape[-1] * (network.scratch + network.layout.sizes[-1] + 4)
    outputs = np.empty((len(thetas), network.layout.sizes[-1], grid.shape[-1]), np.float32)
    for places in np.array_split(np.arange(grid.shape[-1]), max(1, each // CHUNK_BYTES)):
        # One workspace for all networks: new buffers cost more than the arithmetic.
        work = network.workspace(with_ones(grid[:, places].astype(network.dtype)), (1,))
        for at, own in enumerate(thetas):
            work.theta[...] = own
            run(work.forward)
            outputs[at, :, places[0] : places[-1] + 1] = work.z[0]
    network.output(outputs)
    best = outputs.argmax(axis=-2)
    top = np.take_along_axis(outputs, best[:, None, :], axis=-2)[:, 0, :]
    chance = 1 / outputs.shape[-2]
    sure = (
        np.clip((top - chance) / (1 - chance), 0, 1)
        if network.output.name == "softmax"
        else np.ones_like(top)
    )
    shape = (*theta.shape[:-1], size, size)
    return best.reshape(shape), sure.reshape(shape)


def boundary_image(problem: Problem, theta: Array, size: int = 200, points: bool = True) -> Array:
    """The predicted class of theta ``(P,)`` at each pixel, as ``(size, size, 3)`` uint8, row 0 at the top.

    The colour is that of the most probable class, paler where the network is unsure; ``points`` draws the
    training data over it.

    Raises:
        ValueError: inputs that are not 2-D, or targets that are not classes.
    """
    labels = _labels(problem)
    chosen, sure = boundary_classes(problem, theta, size)
    strength = (0.12 + 0.5 * sure)[..., None]
    image = 255 + (COLORS[chosen % len(COLORS)] - 255) * strength
    image = image.round().astype(np.uint8)
    if points and labels is not None:
        _draw_points(image, problem.train.x, labels, extent(problem))
    return image


def _draw_points(image: Array, x: Array, labels: Array, ends: tuple[float, float, float, float]) -> None:
    """Draw each point as a dot of three pixels in its class's colour, with a white rim."""
    size = len(image)
    left, right, low, high = ends
    column = ((x[0] - left) / (right - left) * size).astype(int)
    row = ((high - x[1]) / (high - low) * size).astype(int)
    offsets = np.arange(-2, 3)
    dy, dx = np.meshgrid(offsets, offsets, indexing="ij")
    disc = dy**2 + dx**2 <= 5
    core = dy**2 + dx**2 <= 2
    for mask, color in ((disc, np.full((len(row), 3), 255)), (core, COLORS[labels % len(COLORS)])):
        for y, z in zip(dy[mask].tolist(), dx[mask].tolist(), strict=True):
            image[np.clip(row + y, 0, size - 1), np.clip(column + z, 0, size - 1)] = color


def _labels(problem: Problem) -> Array | None:
    """The training data's classes ``(N,)``, also of one-hot targets; None for numeric targets."""
    y = np.asarray(problem.train.y)
    if np.issubdtype(y.dtype, np.integer):
        return y
    one_hot = y.ndim == 2 and len(y) > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=0) == 1).all()
    return y.argmax(axis=0) if one_hot else None
