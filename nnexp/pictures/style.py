"""One look for all pictures: colours that a colour-blind eye tells apart, fixed for each method."""

from __future__ import annotations

import colorsys
import io
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnexp.losses.measures import measures

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#444444")
"""The colours of Okabe and Ito (2008), their yellow and black made visible on white and beside text."""

METHODS = {"random": "#0072B2", "perturb": "#D55E00", "sgd": "#009E73"}
"""A method has its colour in every picture."""

VARIANTS = {"sgd+batch": "#CC79A7", "sgd+momentum": "#E69F00", "sgd+batch+momentum": "#4D2B6B"}
"""So have the usual variants of a method: mini-batches, momentum, both."""

OTHERS = ("#56B4E9", "#444444")
"""For methods without a colour of their own."""

DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")

LABELS = {
    "iteration": "iterations",
    "evaluations": "evaluations (forward passes)",
    "seconds": "training time (s)",
    "epochs": "epochs (passes over the training data)",
} | {name: about.label for name, about in measures().items()}
"""Names of the axes, with units."""


def held_out(table: Any, measure: str) -> str:
    """The column of ``measure`` on samples that are held out: of test data where there are any, else of validation."""
    name = f"test_{measure}"
    return name if name in table and table[name].notna().any() else f"val_{measure}"


class Look(NamedTuple):
    """How a method is drawn: colour, and a dash and a marker for eyes and printers without colour."""

    color: str
    dash: str
    marker: str


def method_color(method: str) -> str:
    """The colour of a method or a variant of it; one without its own gets the same remaining colour every time.

    A label begins with the method's name; what follows may name settings.

    >>> method_color("sgd"), method_color("sgd momentum=0.9")
    ('#009E73', '#E69F00')
    """
    kind = _kind(method)
    taken = METHODS | VARIANTS
    other = OTHERS[zlib.crc32(kind.encode()) % len(OTHERS)]
    return taken.get(kind) or taken.get(kind.split("+")[0]) or other


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """The look of each method of a comparison; labels of one colour differ by its tint and by their dash.

    The shortest of them has the method's own colour, so that a label looks alike in every picture of the same
    methods, in whatever order they come.
    """
    wanted = list(dict.fromkeys(map(str, labels)))
    found: dict[str, Look] = {}
    kinds = list(METHODS | VARIANTS)
    for label in sorted(wanted, key=lambda label: (len(label), label)):
        color = method_color(label)
        alike = sum(method_color(other) == color for other in found)
        kind = _kind(label)
        at = kinds.index(kind) if kind in kinds else len(kinds) + zlib.crc32(kind.encode()) % 2
        found[label] = Look(_tint(color, alike), DASHES[alike % len(DASHES)], MARKERS[at % len(MARKERS)])
    return {label: found[label] for label in wanted}


def _kind(label: str) -> str:
    """The method and its usual variations that a label names: ``sgd+batch+momentum``."""
    name = re.split(r"[\s,(:+]", label.strip(), maxsplit=1)[0]
    rest = label.strip()[len(name) :].lower()
    batch = re.search(r"batch", rest) and not re.search(r"full|batch_size=(null|none)", rest)
    momentum = re.search(r"momentum", rest) and not re.search(r"momentum=0(\.0*)?(?![\d.])", rest)
    return name + ("+batch" if batch else "") + ("+momentum" if momentum else "")


def _tint(color: str, step: int) -> str:
    """The colour, then darker and lighter ones of its hue."""
    if not step:
        return color
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, light, full = colorsys.rgb_to_hls(red, green, blue)
    light = (light * 0.55, min(0.78, light * 1.7), light * 0.3, min(0.68, light * 1.35))[(step - 1) % 4]
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, light, full))


def class_color(index: int) -> str:
    """The colour of a class."""
    return PALETTE[index % len(PALETTE)]


class Picture(Figure):
    """A figure without global state that notebooks show by themselves."""

    def save(self, file: Path | str) -> tuple[Path, Path]:
        """Write the figure beside each other as PNG and as SVG, whose text stays text."""
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

        # Neither a date nor a salt drawn by chance.
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
