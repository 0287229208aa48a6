"""Decision boundaries of trajectories over time, with a common clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nnexp.inside.trajectory import Trajectory
from nnexp.pictures.boundary import boundary_classes

Array = np.ndarray[Any, Any]


class Frames(NamedTuple):
    """The predictions of each snapshot's network in the plane: ``classes`` and ``sure``, each ``(T, S, S)``."""

    trajectory: Trajectory
    classes: Array
    sure: Array


def boundary_frames(trajectory: Trajectory, size: int = 96) -> Frames:
    """The boundary at every snapshot, all networks forwarded in batches.

    Weights that are not finite show class 0 with sureness 0.

    Raises:
        ValueError: inputs that are not 2-D, or targets that are not classes.
    """
    theta = trajectory.theta
    finite = np.isfinite(theta).min(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        classes, sure = boundary_classes(trajectory.problem, np.where(finite, theta, 0), size)
    classes, sure = (np.where(finite[..., None], values, 0) for values in (classes, sure))
    return Frames(trajectory, classes.astype(np.uint8), sure)


def timeline(trajectories: Sequence[Trajectory], axis: str = "iteration", steps: int = 40) -> Array:
    """Moments on ``axis`` for an animation of all trajectories: the start, then evenly spaced on a log scale.

    The last moment is the latest end; a trajectory that ended before does not change any more.

    Raises:
        ValueError: an unknown axis, or no trajectories.
    """
    if axis not in ("iteration", "evaluations", "seconds"):
        raise ValueError(f"axis={axis}: expected iteration, evaluations or seconds")
    if not trajectories:
        raise ValueError("trajectories: expected one or more")
    moments = np.concatenate([np.asarray(getattr(path, axis), np.float64) for path in trajectories])
    positive = moments[np.isfinite(moments) & (moments > 0)]
    if not len(positive):
        return np.zeros(1)
    first = min(0.0, float(np.nanmin(moments)))
    spaced = np.geomspace(positive.min(), positive.max(), max(2, steps - 1))
    # Rounding must not keep the last snapshot from its own moment.
    spaced[-1] = positive.max()
    return np.unique(np.concatenate([[first], spaced]))
