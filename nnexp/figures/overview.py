"""One picture of a sweep: learning curves at equal cost above, decision boundaries below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nnexp.figures.curves import BANDS, bands, draw_curves
from nnexp.inside.trajectory import Trajectory
from nnexp.pictures.boundary import boundary_image, extent
from nnexp.pictures.style import LABELS, Picture, looks
from nnexp.results import AXES, measure_of


def overview(
    history: pd.DataFrame,
    trajectories: Sequence[Trajectory],
    measure: str = "val_loss",
    axes: Sequence[str] = AXES,
) -> Picture:
    """Curves of ``measure`` with their intervals against each cost; below the boundary of each trajectory's end.

    Raises:
        ValueError: no trajectories, or one whose inputs have no boundary.
    """
    if not trajectories:
        raise ValueError("trajectories: expected one or more")
    figure = Picture(figsize=(11, 5.6), dpi=100, layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    above, below = parts
    shown = looks([*history["method"], *(path.label for path in trajectories)])
    for place, axis in zip(above.subplots(1, len(axes), sharey=True), axes, strict=True):
        place.spines[["top", "right"]].set_visible(False)
        place.grid(True, color="#E6E6E6", linewidth=0.6)
        place.tick_params(labelsize=9)
        draw_curves(place, bands(history, measure, axis), axis, shown)
        place.set_xlabel(LABELS[axis], fontsize=10)
    first = above.axes[0]
    first.set_ylabel(measure_of(history, measure).label, fontsize=10)
    above.legend(
        *first.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(shown),
        fontsize=9,
        frameon=False,
    )
    above.supxlabel(BANDS["interval"].format(0.95), fontsize=8, color="#555555")
    for place, path in zip(below.subplots(1, len(trajectories), squeeze=False)[0], trajectories, strict=True):
        left, right, low, high = extent(path.problem)
        image = boundary_image(path.problem, path.theta[-1], size=220)
        place.imshow(image, extent=(left, right, low, high), aspect="auto")
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        place.set_title(path.label, fontsize=10, color=shown[path.label].color, fontweight="bold")
        place.set_xlabel(f"training loss {path.loss[-1]:.3f}", fontsize=9)
    return figure
