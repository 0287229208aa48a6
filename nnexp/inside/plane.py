"""The loss on a plane through weight space, and the error of this picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np

from nnexp.inside.trajectory import Trajectory
from nnexp.network.layout import Layout
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]


MOST_POINTS, FEWEST_POINTS = 101, 21

MOST_WORK = 4 * 10**10
"""Multiplications of a loss plane's forward passes: some ten seconds."""


class Plane(NamedTuple):
    """A plane ``theta(a, b) = origin + a * directions[0] + b * directions[1]``.

    ``scale (P,)`` is what a parameter's distances are measured in: 1, or the norm of its filter. ``directions
    (2, P)`` are orthonormal in that measure. ``explained (2,)`` is the share of the paths' squared distance from
    the origin that each direction holds, NaN for a plane that was not made from paths.
    """

    origin: Array
    directions: Array
    scale: Array
    explained: Array

    def coordinates(self, theta: Array) -> Array:
        """The nearest point ``(..., 2)`` of the plane to theta ``(..., P)``, in the plane's own measure."""
        offset = (np.asarray(theta, np.float64) - self.origin) / self.scale
        return offset @ (self.directions / self.scale).T

    def theta(self, coordinates: Array) -> Array:
        """The weights ``(..., P)`` at the plane's points ``(..., 2)``."""
        return self.origin + np.asarray(coordinates, np.float64) @ self.directions

    def distance(self, theta: Array) -> Array:
        """How far theta ``(..., P)`` is from the plane, as a share of its distance from the origin."""
        offset = (np.asarray(theta, np.float64) - self.origin) / self.scale
        off = offset - self.coordinates(theta) @ (self.directions / self.scale)
        whole = np.linalg.norm(offset, axis=-1)
        return np.divide(np.linalg.norm(off, axis=-1), whole, out=np.zeros_like(whole), where=whole > 0)


class Landscape(NamedTuple):
    """The loss on a grid of the plane, and the paths on it.

    ``loss (S, S)`` belongs to ``b (S,)`` down and ``a (S,)`` across. For each path: its ``points (T, 2)``, the loss
    ``true_loss (T,)`` of its snapshots and ``plane_loss (T,)`` of the plane's points nearest to them, and the
    share ``off (T,)`` of their distance from the start that leaves the plane.
    """

    plane: Plane
    a: Array
    b: Array
    loss: Array
    labels: tuple[str, ...]
    points: tuple[Array, ...]
    true_loss: tuple[Array, ...]
    plane_loss: tuple[Array, ...]
    off: tuple[Array, ...]


def filter_norms(layout: Layout, theta: Array) -> Array:
    """For each parameter ``(P,)`` the norm of its filter in theta ``(..., P)``, averaged over leading axes.

    A filter of a dense layer is the row of one neuron with its bias, as Li et al. (2018) normalise: scaling the
    neuron up and the next layer down changes no output, and so should change no picture. A filter far smaller
    than its layer's others counts as a tenth of their mean, so that a dead neuron does not rule the picture.
    """
    scale = np.empty(layout.size)
    for part, block in zip(layout.slices, layout.blocks.values(), strict=True):
        rows = np.asarray(theta, np.float64)[..., part].reshape(-1, block.shape[0], prod(block.shape[1:]))
        norms = np.linalg.norm(rows, axis=-1).mean(axis=0)
        least = 0.1 * norms.mean() if norms.any() else 1.0
        scale[part] = np.repeat(np.maximum(norms, least), prod(block.shape[1:]))
    return scale


def pca_plane(trajectories: Sequence[Trajectory], normalise: bool = True) -> Plane:
    """The plane through the common start that holds most of the trajectories' squared distance from it.

    Offsets of all snapshots from the start, divided by filter norms of the runs' last weights where
    ``normalise``; each trajectory weighs the same; the first two right singular vectors span the plane (PCA
    about the start, as Li et al., 2018, section 7, draw paths).

    Raises:
        ValueError: trajectories of different networks, or that do not begin at the same weights.
    """
    thetas = [finite_part(path) for path in trajectories]
    layouts = {path.problem.network.layout.sizes for path in trajectories}
    if len(layouts) != 1:
        raise ValueError(f"trajectories: expected all of one network, not of the sizes {sorted(layouts)}")
    origin = np.asarray(thetas[0][0], np.float64)
    if not all(np.array_equal(theta[0], thetas[0][0]) for theta in thetas):
        raise ValueError("trajectories: expected all to have the same initial weights")
    layout = trajectories[0].problem.network.layout
    ends = np.stack([theta[-1] for theta in thetas])
    scale = filter_norms(layout, ends) if normalise else np.ones(layout.size)
    offsets = np.concatenate([(theta - origin) / scale / np.sqrt(len(theta)) for theta in thetas])
    _, values, vectors = np.linalg.svd(offsets, full_matrices=False)
    if len(values) < 2:
        values, vectors = np.append(values, 0.0), np.concatenate([vectors, _orthogonal(vectors)])
    total = float((values**2).sum())
    explained = values[:2] ** 2 / total if total > 0 else np.full(2, np.nan)
    return Plane(origin, _signed(vectors[:2]) * scale, scale, explained)


def random_plane(problem: Problem, theta: Array, seed: int = 0) -> Plane:
    """Two random filter-normalised directions about theta ``(P,)`` (Li et al., 2018, section 4).

    Each filter of a Gaussian direction is brought to the norm of theta's filter; the second direction is then made
    orthogonal to the first. A step of Li's length 1 is the square root of the number of filters here, where
    directions have length 1.
    """
    layout = problem.network.layout
    scale = filter_norms(layout, theta)
    drawn = np.random.default_rng(seed).standard_normal((2, layout.size))
    # Running statistics are not trained, so they are not part of the directions.
    drawn[:, layout.trained :] = 0
    for part, block in zip(layout.slices, layout.blocks.values(), strict=True):
        if not block.trained:
            continue
        rows = drawn[:, part].reshape(2, block.shape[0], -1)
        drawn[:, part] = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).reshape(2, -1)
    first = drawn[0] / np.linalg.norm(drawn[0])
    second = drawn[1] - first * (first @ drawn[1])
    unit = np.stack([first, second / np.linalg.norm(second)])
    return Plane(np.asarray(theta, np.float64), unit * scale, scale, np.full(2, np.nan))


def loss_plane(
    trajectories: Sequence[Trajectory],
    plane: Plane | None = None,
    size: int | None = None,
    margin: float = 0.15,
) -> Landscape:
    """The training loss over the part of the plane that holds the paths, and the paths themselves.

    Args:
        plane: None for :func:`pca_plane` of the trajectories.
        size: points along each side; None for :func:`affordable_size`.
        margin: share of the paths' extent that is added on each side.

    Raises:
        ValueError: as :func:`pca_plane` and :func:`affordable_size`.
    """
    size = affordable_size(trajectories[0].problem) if size is None else size
    plane = pca_plane(trajectories) if plane is None else plane
    thetas = [finite_part(path) for path in trajectories]
    points = [plane.coordinates(theta) for theta in thetas]
    a, b = (_side(np.concatenate(points)[:, at], size, margin) for at in (0, 1))
    problem = trajectories[0].problem
    # A row at a time: the weights of all points together may take a gigabyte.
    grid = np.stack(np.meshgrid(a, b), axis=-1)
    return Landscape(
        plane,
        a,
        b,
        np.stack([losses(problem, plane.theta(row)) for row in grid]),
        tuple(path.label for path in trajectories),
        tuple(points),
        tuple(losses(problem, theta) for theta in thetas),
        tuple(losses(problem, plane.theta(point)) for point in points),
        tuple(plane.distance(theta) for theta in thetas),
    )


def affordable_size(problem: Problem) -> int:
    """Points along each side of a loss plane: as many as take :data:`MOST_WORK`, at most :data:`MOST_POINTS`.

    Raises:
        ValueError: fewer than :data:`FEWEST_POINTS`, which show nothing.
    """
    each = problem.samples * problem.network.work
    size = min(MOST_POINTS, isqrt(int(MOST_WORK / each)))
    if size < FEWEST_POINTS:
        raise ValueError(
            f"{problem.samples:,} samples: computing their loss at hundreds of points would take too long"
        )
    return size


def losses(problem: Problem, theta: Array) -> Array:
    """The training loss ``(K,)`` of thetas ``(K, P)``, +inf where it is not a number."""
    with np.errstate(all="ignore"):
        found = problem.score(np.asarray(theta, problem.network.dtype)).loss
    assert found is not None
    return np.asarray(found, np.float64)


def finite_part(trajectory: Trajectory) -> Array:
    """The snapshots ``(T, P)`` whose weights are finite, in float64: a diverged end has no place."""
    theta = np.asarray(trajectory.theta, np.float64)
    return theta[np.isfinite(theta).all(axis=1)]


def _side(values: Array, size: int, margin: float) -> Array:
    low, high = float(values.min()), float(values.max())
    wide = max(high - low, 1e-9)
    return np.linspace(low - margin * wide, high + margin * wide, size)


def _signed(vectors: Array) -> Array:
    """The vectors with their largest entry positive: which way a singular vector points is chance."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1)[:, None], axis=1)
    return vectors * np.where(largest < 0, -1.0, 1.0)


def _orthogonal(vectors: Array) -> Array:
    unit = np.eye(vectors.shape[1])[[int(np.abs(vectors[0]).argmin())]]
    rest = unit - (unit @ vectors.T) @ vectors
    return rest / np.linalg.norm(rest)
