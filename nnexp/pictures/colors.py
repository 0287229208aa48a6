"""The look of each method: a colour for colour-blind readers, with a dash and a marker, fixed for its name."""

from __future__ import annotations

import colorsys
import re
import zlib
from collections.abc import Iterable
from typing import NamedTuple

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#3C1EDC", "#444444")
"""The colours of Okabe and Ito (2008), with an indigo and a grey for their yellow and black."""

DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "<", ">")

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INDIGO, GREY = PALETTE

OWN = {
    "random": (BLUE, "-", "o"),
    "perturb": (VERMILLION, "-", "s"),
    "sgd": (GREEN, "-", "D"),
    # The usual variants of a method: mini-batches, momentum, both.
    "sgd+batch": (PURPLE, "-", "v"),
    "sgd+momentum": (ORANGE, "-", "^"),
    "sgd+batch+momentum": ("#4D2B6B", "-", "P"),
    "adam": (SKY, "-", "^"),
    "rmsprop": (INDIGO, "-", "v"),
    "adagrad": (GREY, "-", "P"),
    "adamw": (SKY, "--", "X"),
    "nadam": (SKY, "-.", "*"),
    "lion": (PURPLE, "--", "<"),
    "lbfgs": (BLUE, "--", ">"),
    "sam": (GREEN, "--", "o"),
    "annealing": (VERMILLION, "--", "D"),
    "es": (ORANGE, "--", "s"),
    "cma_es": (GREY, "--", "X"),
    "sep_cma_es": (INDIGO, "--", "*"),
    "openai_es": (PURPLE, "-.", "o"),
    "spsa": (GREEN, "-.", "<"),
    "differential_evolution": (BLUE, "-.", "v"),
    "coordinate": (VERMILLION, "-.", ">"),
}
"""Colour, dash and marker by method. Two of one colour differ in both dash and marker."""


class Look(NamedTuple):
    """How a method is drawn: colour, and a dash and a marker that also work without colour."""

    color: str
    dash: str
    marker: str


def method_color(method: str) -> str:
    """The colour of a method or a variant of it; a method without its own colour always gets the same one.

    A label begins with the method's name; settings may follow.

    >>> method_color("sgd"), method_color("sgd momentum=0.9")
    ('#009E73', '#E69F00')
    """
    return _own(method).color


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """The look of each method of a comparison; labels of one method differ by its tint and by their dash.

    The shortest label has the method's own look, so that a label looks the same in every picture of the same
    methods, in any order.
    """
    wanted = list(dict.fromkeys(map(str, labels)))
    found: dict[str, Look] = {}
    owned: list[Look] = []
    for label in sorted(wanted, key=lambda label: (len(label), label)):
        own = _own(label)
        alike = owned.count(own)
        owned.append(own)
        found[label] = Look(
            _tint(own.color, alike), _further(DASHES, own.dash, alike), _further(MARKERS, own.marker, alike)
        )
    return {label: found[label] for label in wanted}


def _own(label: str) -> Look:
    kind = _kind(label)
    known = OWN.get(kind) or OWN.get(kind.split("+")[0])
    if known is not None:
        return Look(*known)
    chance = zlib.crc32(kind.encode())
    return Look(PALETTE[chance % len(PALETTE)], ":", MARKERS[chance // len(PALETTE) % len(MARKERS)])


def _further(choices: tuple[str, ...], first: str, steps: int) -> str:
    return choices[(choices.index(first) + steps) % len(choices)]


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
