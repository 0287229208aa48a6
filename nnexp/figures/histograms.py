"""Weights and gradients over time, as heat maps of their histograms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnexp.inside.histograms import Histogram
from nnexp.pictures.style import LABELS, Picture, picture


def histograms_over_time(found: Sequence[Histogram], gradients: bool = False, title: str = "") -> Picture:
    """For each array a heat map: snapshots across, values up, darker where more of the values are.

    Of gradients the values are ``log10 |g|``, and the red line is the share of exact zeros (dead units).
    """
    columns = 2
    rows = -(-len(found) // columns)
    figure, places = picture(rows, columns, size=(4.0, 2.5))
    for place, one in zip(places, found, strict=False):
        share = one.counts / np.maximum(one.counts.sum(axis=1, keepdims=True), 1)
        steps = np.arange(len(one.iteration) + 1) - 0.5
        # The square root makes the tails visible.
        dark = np.ma.masked_equal(np.sqrt(share.T), 0)
        place.pcolormesh(steps, one.edges, dark, cmap="Blues", vmin=-0.15, rasterized=True)
        place.grid(False)
        shown = np.unique(np.linspace(0, len(one.iteration) - 1, 5).round().astype(int))
        place.set_xticks(shown, [f"{one.iteration[at]:,}" for at in shown])
        place.set_title(one.name, fontsize=9, loc="left")
        place.set(
            xlabel=f"{LABELS['iteration']} (snapshots)", ylabel="log10 |gradient|" if gradients else "value"
        )
        if gradients and one.zeros.max() > 0:
            beside = place.twinx()
            beside.plot(np.arange(len(one.zeros)), one.zeros, color="#D55E00", linewidth=1.5)
            beside.set_ylim(0, 1)
            beside.set_ylabel("share of zeros", fontsize=8, color="#D55E00")
            beside.tick_params(labelsize=7, colors="#D55E00")
    for place in places[len(found) :]:
        place.set_visible(False)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure
