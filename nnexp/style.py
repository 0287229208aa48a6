"""One look for all pictures: colours that a colour-blind eye tells apart, fixed for each method."""

from __future__ import annotations

import io
import zlib
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#444444")
"""The colours of Okabe and Ito (2008), their yellow and black made visible on white and beside text."""

METHODS = {"random": "#0072B2", "perturb": "#D55E00", "sgd": "#009E73"}
"""A method has its colour in every picture."""

LABELS = {
    "iteration": "iteration",
    "evaluations": "evaluations (forward passes)",
    "seconds": "training time (s)",
    "loss": "loss",
    "accuracy": "accuracy (share of samples)",
    "val_loss": "test loss",
    "val_accuracy": "test accuracy (share of samples)",
}
"""Names of the axes, with units."""


def method_color(method: str) -> str:
    """The method's colour; one without its own gets the same remaining colour every time."""
    rest = [color for color in PALETTE if color not in METHODS.values()]
    return METHODS.get(method) or rest[zlib.crc32(method.encode()) % len(rest)]


def class_color(index: int) -> str:
    """The colour of a class."""
    return PALETTE[index % len(PALETTE)]


class Picture(Figure):
    """A figure without global state that notebooks show by themselves."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()


def picture(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.2, 3.2)
) -> tuple[Figure, list[Axes]]:
    """A figure of ``rows`` x ``columns`` axes, each of ``size`` inches, and its axes row by row."""
    figure = Picture(figsize=(size[0] * columns, size[1] * rows), dpi=120, layout="constrained")
    axes: Any = figure.subplots(rows, columns, squeeze=False)
    flat = [axis for row in axes for axis in row]
    for axis in flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.xaxis.label.set_size(9)
        axis.yaxis.label.set_size(9)
        axis.grid(True, color="#E6E6E6", linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, flat
