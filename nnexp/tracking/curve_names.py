"""Methods' names for MLflow's charts, spelled so that a group of runs has its method's colour there.

MLflow takes a group's colour from its palette, by a hash of the tag and the value that the group's runs share. So each
run has a tag with its method's name and zero-width characters after it, chosen so that the hash gives the colour.
"""

from __future__ import annotations

import itertools
from functools import cache

from nnexp.pictures.colors import OWN, method_color

TAG = "nnexp.curve"

PALETTE = (
    *(
        "#a6630c",
        "#c83243",
        "#b45091",
        "#8a63bf",
        "#434a93",
        "#137dae",
        "#04867d",
        "#308613",
        "#facb66",
        "#1f272d",
    ),
    *(
        "#445461",
        "#5f7281",
        "#8396a5",
        "#93320b",
        "#be501e",
        "#de7921",
        "#f2be88",
        "#115026",
        "#277c43",
        "#3ba65e",
    ),
    *("#8ddda8", "#9e102c", "#c82d4c", "#e65b77", "#f792a6", "#0e538b", "#2272b4", "#4299e0", "#8acaff"),
)
"""The colours of runs in MLflow 3.10 to 3.17 (``color-palette.ts``)."""

TEAL = PALETTE.index("#04867d")
"""Used for no method: too close to the green of one and the blue of another."""

UNSEEN = "\u200b\u200c\u200d\u2060"
"""Zero-width characters."""


@cache
def curve_name(method: str) -> str:
    """The method's name as written in the tag.

    >>> curve_name("sgd").startswith("sgd"), PALETTE[place(curve_name("sgd"))]
    (True, '#3ba65e')
    """
    wanted = _places().get(method, _nearest(method_color(method), range(len(PALETTE))))
    for length in itertools.count():
        for more in itertools.product(UNSEEN, repeat=length):
            name = method + "".join(more)
            if place(name) == wanted:
                return name
    raise AssertionError


def place(name: str) -> int:
    """The index of a group's colour in MLflow's palette (``getStableColorForRun``)."""
    a = b = 0
    for character in f"tag.{TAG}.{name}":
        a = (a + ord(character)) % 255
        b = (b + a) % 255
    return (a | b << 8) % len(PALETTE)


@cache
def _places() -> dict[str, int]:
    """The palette colour nearest to each known method's, each used once."""
    found: dict[str, int] = {}
    for method, (color, *_) in OWN.items():
        if "+" not in method:
            found[method] = _nearest(color, sorted(set(range(len(PALETTE))) - {TEAL, *found.values()}))
    return found


def _nearest(color: str, places: range | list[int]) -> int:
    def parts(text: str) -> list[int]:
        return [int(text[at : at + 2], 16) for at in (1, 3, 5)]

    def distance(at: int) -> int:
        return sum((one - other) ** 2 for one, other in zip(parts(PALETTE[at]), parts(color), strict=True))

    return min(places, key=distance)
