"""Decision boundaries of several networks, and of several moments of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnexp.inside.frames import timeline
from nnexp.inside.trajectory import Trajectory
from nnexp.pictures.boundary import boundary_image, extent
from nnexp.pictures.style import LABELS, Picture, looks, picture
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]


def boundaries(problem: Problem, thetas: Mapping[str, Array]) -> Picture:
    """Decision boundaries of several networks on the same data, side by side."""
    figure, places = picture(1, len(thetas), size=(3.2, 3.2))
    shown = looks(thetas)
    for place, (title, theta) in zip(places, thetas.items(), strict=True):
        _image(place, problem, theta)
        place.set_title(title, fontsize=9, color=shown[title].color, fontweight="bold")
        place.set(xlabel="feature 0", ylabel="feature 1")
    return figure


def filmstrip(trajectories: Sequence[Trajectory], axis: str = "iteration", moments: int = 5) -> Picture:
    """A row of boundaries for each trajectory, at the same moments of ``axis`` for all."""
    clock = _moments(trajectories, axis, moments)
    figure, places = picture(len(trajectories), len(clock), size=(1.75, 1.75))
    shown = looks(path.label for path in trajectories)
    for row, path in enumerate(trajectories):
        for column, moment in enumerate(clock):
            place = places[row * len(clock) + column]
            at = path.at(axis, moment)
            _image(place, path.problem, path.theta[at], size=240)
            place.set(xticks=[], yticks=[])
            place.text(
                0.03, 0.97, f"loss {path.loss[at]:.3f}", transform=place.transAxes, fontsize=6.5, va="top",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5},
            )  # fmt: skip
            if row == 0:
                place.set_title(clock_text(axis, moment), fontsize=8)
            if column == 0:
                place.set_ylabel(path.label, fontsize=9, color=shown[path.label].color, fontweight="bold")
    return figure


def _moments(trajectories: Sequence[Trajectory], axis: str, count: int) -> Array:
    clock = timeline(trajectories, axis, 200)
    chosen = np.unique(np.linspace(0, len(clock) - 1, count).round().astype(int))
    return clock[chosen]


def clock_text(axis: str, moment: float) -> str:
    """A moment of a clock with its unit."""
    if axis == "seconds":
        return f"{moment:.3g} s"
    return f"{moment:,.0f} {LABELS[axis].split(' (')[0]}"


def _image(place: Any, problem: Problem, theta: Array, size: int = 300) -> None:
    left, right, low, high = extent(problem)
    place.grid(False)
    place.imshow(boundary_image(problem, theta, size=size), extent=(left, right, low, high), aspect="auto")
