"""Pictures that compare the methods of a sweep."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nnexp.boundary import boundary_image, extent
from nnexp.plots import sweep_figure
from nnexp.problem import Problem
from nnexp.results import AXES, on_grid
from nnexp.style import LABELS, method_color, picture

__all__ = ["boundaries", "curves", "final_distributions"]


def curves(history: pd.DataFrame, measure: str = "loss") -> Figure:
    """``measure`` against iterations, evaluations and seconds: median over seeds, band from 10 to 90 %.

    A band is drawn where a method has more than one seed; values are held between measurements.
    """
    figure, axes = picture(1, len(AXES))
    for axis, against in zip(axes, AXES, strict=True):
        held = on_grid(history, against)
        for method, rows in held.groupby("method", sort=False):
            table = rows.pivot(index=against, columns="run_id", values=measure).dropna()
            if table.empty:
                continue
            low, middle, high = np.quantile(table.to_numpy(float), [0.1, 0.5, 0.9], axis=1)
            color = method_color(str(method))
            axis.plot(table.index, middle, color=color, label=f"{method} (n={table.shape[1]})")
            if table.shape[1] > 1:
                axis.fill_between(table.index, low, high, color=color, alpha=0.2, linewidth=0)
        axis.set(
            xscale="symlog" if against != "seconds" else "log", xlabel=LABELS[against], ylabel=LABELS[measure]
        )
    axes[0].legend(fontsize=8, frameon=False)
    return figure


def final_distributions(runs: pd.DataFrame) -> Figure:
    """Final loss and accuracy of every finished run as a dot, by method."""
    return sweep_figure(runs[runs["status"] == "finished"])


def boundaries(problem: Problem, thetas: Mapping[str, np.ndarray]) -> Figure:
    """Decision boundaries of several networks on the same data, side by side."""
    figure, axes = picture(1, len(thetas), size=(3.4, 3.4))
    left, right, low, high = extent(problem)
    for axis, (title, theta) in zip(axes, thetas.items(), strict=True):
        axis.grid(False)
        axis.imshow(boundary_image(problem, theta, size=300), extent=(left, right, low, high), aspect="auto")
        axis.set(title=title, xlabel="feature 1", ylabel="feature 2")
    return figure
