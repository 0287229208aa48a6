"""The common style of all pictures: axes, labels and files; methods' colours are in :mod:`nnexp.pictures.colors`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, TextIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnexp.losses.measures import measures
from nnexp.pictures.colors import PALETTE, Look, class_color, looks, method_color

__all__ = [
    "LABELS", "PALETTE", "Look", "Picture", "class_color", "held_out", "looks", "method_color", "picture",
]  # fmt: skip

LABELS = {
    "iteration": "iterations",
    "evaluations": "evaluations (forward passes)",
    "seconds": "training time (s)",
    "epochs": "epochs (passes over the training data)",
} | {name: about.label for name, about in measures().items()}
"""Names of the axes, with units."""


def held_out(table: Any, measure: str) -> str:
    """The column of ``measure`` for held-out data: test data where there are any, else validation data."""
    name = f"test_{measure}"
    return name if name in table and table[name].notna().any() else f"val_{measure}"


class Picture(Figure):
    """A figure without global state that notebooks display."""

    def save(self, file: Path | str) -> tuple[Path, Path]:
        """Write the figure as PNG and as SVG with text as text."""
        place = Path(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        png, svg = place.with_suffix(".png"), place.with_suffix(".svg")
        self.savefig(png)
        with svg.open("w", encoding="utf-8") as out:
            self.write_svg(out)
        return png, svg

    def write_svg(self, out: TextIO) -> None:
        """Write the figure as SVG; the same numbers give the same text."""
        import matplotlib

        # Without a date and a random salt.
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnexp"}):
            self.savefig(out, format="svg", metadata={"Date": None})

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()


def picture(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (4.2, 3.2)
) -> tuple[Picture, list[Axes]]:
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
