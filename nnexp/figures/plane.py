"""The loss plane with the methods' paths, and the errors of this picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from nnexp.inside.plane import Landscape
from nnexp.pictures.style import Picture, looks, picture

Array = np.ndarray[Any, Any]

SHADES = LinearSegmentedColormap.from_list("loss", ["#FFFFFF", "#C9CED6", "#6F7885"])
"""From white, a low loss, to grey, so that the paths stand out in colour."""


def loss_landscape(found: Landscape) -> Picture:
    """Contours of the loss with each path from the common start to its end.

    The title gives the true loss of each path's end, and that of the plane at the nearest point: where they differ, the
    path is far from the plane.
    """
    figure, (place,) = picture(size=(5.6, 5.0))
    place.grid(False)
    finite = found.loss[np.isfinite(found.loss)]
    levels = contour_levels(finite)
    shown = np.where(np.isfinite(found.loss), found.loss, finite.max()).clip(levels[0], levels[-1])
    norm = LogNorm(levels[0], levels[-1])
    filled = place.contourf(found.a, found.b, shown, levels, cmap=SHADES, norm=norm)
    place.contour(found.a, found.b, shown, levels, colors="#8A929E", linewidths=0.4)
    style = looks(found.labels)
    for label, points in zip(found.labels, found.points, strict=True):
        look = style[label]
        place.plot(*points.T, color="white", linewidth=3.2)
        place.plot(*points.T, color=look.color, linewidth=1.8, marker=look.marker, markersize=3, label=label)
        place.plot(*points[-1], look.marker, color=look.color, markersize=9, markeredgecolor="white")
    place.plot(*found.points[0][0], "o", color="white", markeredgecolor="black", markersize=8, label="start")
    bar = figure.colorbar(filled, ax=place, shrink=0.9, label="training loss")
    bar.ax.tick_params(labelsize=7)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    share = found.plane.explained
    known = np.isfinite(share).all()
    names = [f"direction {at + 1}" + (f" ({share[at]:.0%} explained)" if known else "") for at in (0, 1)]
    place.set(xlabel=names[0], ylabel=names[1])
    place.legend(fontsize=8, loc="best", framealpha=0.85)
    place.set_title("\n".join(errata(found)), fontsize=7.5, loc="left", color="#333333")
    return figure


def errata(found: Landscape) -> list[str]:
    """Lines on the error of the plane: the share that it explains, and for each end the true loss and the plane's."""
    share = found.plane.explained
    lines = []
    if np.isfinite(share).all():
        lines.append(f"The plane explains {share.sum():.0%} of the paths' squared distance from the start.")
    for label, true, drawn, off in zip(
        found.labels, found.true_loss, found.plane_loss, found.off, strict=True
    ):
        lines.append(
            f"{label}: end's loss {true[-1]:.4f}, the plane shows {drawn[-1]:.4f}; {off[-1]:.0%} off the plane"
        )
    return lines


def contour_levels(finite: Array, count: int = 24) -> Array:
    """Levels ``(count,)`` evenly spaced in the logarithm, from the least loss to at most eight times the median.

    Otherwise a corner with a very high loss would use most of the colours.
    """
    least = max(float(finite.min()), 1e-6)
    middle = float(np.median(finite))
    most = min(float(finite.max()), max(8 * middle, 1.05 * least))
    if most <= least * (1 + 1e-9):
        most = least * 1.01
    return np.geomspace(least, most, count)
