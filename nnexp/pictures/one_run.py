"""Pictures of runs, as figures without global state, from computed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nnexp.data.dataset import Data
from nnexp.network.layout import Layout
from nnexp.pictures.boundary import boundary_image, extent, has_boundary
from nnexp.pictures.style import LABELS, class_color, held_out, method_color, picture
from nnexp.training.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

KINDS = {"loss": "loss", "accuracy": "accuracy (share of samples)"}
"""Labels of axes for training and held-out data together."""

__all__ = [
    "boundary_image",
    "decision_boundary",
    "has_boundary",
    "learning_curves",
    "scatter",
    "sweep_figure",
    "weight_histograms",
]


def learning_curves(history: Any, method: str = "", against: str = "iteration") -> Figure:
    """Loss and accuracy against iterations, evaluations or seconds; validation data dashed, test data dotted.

    Args:
        history: columns by name, as a :class:`nnexp.training.record.History` or a DataFrame.
        method: for the colour and the title.
        against: ``iteration``, ``evaluations`` or ``seconds``.
    """
    figure, axes = picture(1, 2)
    x = _column(history, against)
    color = method_color(method)
    for axis, key in zip(axes, ("loss", "accuracy"), strict=True):
        lines = ((key, "training", "-"), (f"val_{key}", "validation", "--"), (f"test_{key}", "test", ":"))
        for name, label, dash in lines:
            y = _column(history, name)
            known = np.isfinite(y)
            if known.any():
                axis.plot(x[known], y[known], dash, color=color, linewidth=1.4, label=label)
        axis.set(xlabel=LABELS[against], ylabel=KINDS[key])
        _log_from_zero(axis, x)
        if axis.lines:
            axis.legend(frameon=False, fontsize=8)
        else:
            axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes, color="#777777")
    if method:
        figure.suptitle(method, fontsize=10)
    return figure


def scatter(data: Data, classes: bool = True) -> Figure:
    """The points of 2-D data, with ``classes`` coloured by class.

    Raises:
        ValueError: inputs that are not 2-D.
    """
    x = np.asarray(data.x)
    if x.ndim != 2 or x.shape[0] != 2:
        raise ValueError(f"inputs of shape {x.shape}: expected two features for a scatter plot")
    figure, (axis,) = picture(size=(4.2, 4.0))
    labels = np.asarray(data.y) if classes and np.issubdtype(data.y.dtype, np.integer) else None
    _points(axis, x, labels)
    return figure


def decision_boundary(problem: Problem, theta: Array, title: str = "") -> Figure:
    """The predicted class at each pixel, paler where the network is unsure, with the training data.

    Raises:
        ValueError: inputs that are not 2-D, or targets that are not classes.
    """
    image = boundary_image(problem, theta, size=400, points=False)
    figure, (axis,) = picture(size=(4.2, 4.0))
    axis.grid(False)
    left, right, low, high = extent(problem)
    axis.imshow(image, extent=(left, right, low, high), interpolation="bilinear", aspect="auto")
    _points(axis, np.asarray(problem.train.x), np.asarray(problem.train.y))
    axis.set(xlim=(left, right), ylim=(low, high), title=title)
    return figure


def weight_histograms(layout: Layout, thetas: Mapping[str, Array]) -> Figure:
    """Histograms of the weights and biases of each layer, for each theta ``(P,)`` by its label."""
    # Every trained block has two arrays; running statistics are not weights.
    shown = [name for name, block in layout.blocks.items() if block.trained]
    names = [f"{name}/{own}" for name in shown for own in layout.blocks[name].pieces]
    depth = -(-len(names) // 2)
    figure, axes = picture(2, depth, size=(3.0, 2.2))
    for index, name in enumerate(names):
        axis = axes[(index % 2) * depth + index // 2]
        named = [layout.named(np.asarray(theta, np.float64))[name].reshape(-1) for theta in thetas.values()]
        finite = [values[np.isfinite(values)] for values in named]
        everything = np.concatenate([*finite, np.zeros(1)])
        # Equal bins for all, so that widths can be compared.
        edges = np.histogram_bin_edges(everything, bins=min(40, max(12, named[0].size // 4)))
        for number, (label, values) in enumerate(zip(thetas, finite, strict=True)):
            color = "#0072B2" if number == len(thetas) - 1 else "#999999"
            axis.hist(values, bins=edges.tolist(), color=color, alpha=0.65, label=label)
        axis.set_title(name, fontsize=9)
        axis.set(xlabel="value", ylabel="count" if index < 2 else "")
    if len(thetas) > 1:
        axes[0].legend(frameon=False, fontsize=8)
    return figure


def sweep_figure(table: pd.DataFrame, limit: float | None = None) -> Figure:
    """Final loss and accuracy of every run as a dot, by method, with the median as a line.

    Args:
        table: one row a run with ``method``, ``loss``, ``accuracy`` and, for open dots, those of
            samples that are held out: ``test_`` where there are any, else ``val_``.
        limit: the expected accuracy of the Bayes classifier on new samples.
    """
    methods = list(dict.fromkeys(table["method"]))
    figure, axes = picture(1, 2, size=(max(3.4, 1.0 + 0.8 * len(methods)), 3.4))
    for axis, key in zip(axes, ("loss", "accuracy"), strict=True):
        for at, method in enumerate(methods):
            rows = table[table["method"] == method]
            _dots(axis, at, rows[key].to_numpy(float), method_color(method), filled=True)
            if (name := held_out(table, key)) in rows:
                _dots(axis, at + 0.4, rows[name].to_numpy(float), method_color(method), filled=False)
        axis.set_xticks([at + 0.2 for at in range(len(methods))], methods)
        axis.set(ylabel=KINDS[key], xlim=(-0.4, len(methods) - 0.2))
        axis.grid(False, axis="x")
    if limit is not None:
        axes[1].axhline(limit, color="#555555", linewidth=1, linestyle=(0, (4, 3)))
        about = f"{limit:.3f}: the best possible classifier on test data"
        axes[1].annotate(
            about, (-0.35, limit), (0, 3), textcoords="offset points", fontsize=7, color="#555555"
        )
    axes[0].set_title("filled: training data; open: held-out data", fontsize=8, loc="left", color="#555555")
    axes[1].set_title(
        f"{len(table)} run{'s' * (len(table) != 1)}; line: median", fontsize=8, loc="left", color="#555555"
    )
    return figure


def _dots(axis: Axes, at: float, values: Array, color: str, filled: bool) -> None:
    values = values[np.isfinite(values)]
    if not len(values):
        return
    # Dots are spread sideways in a fixed pattern, so that the same runs make the same picture.
    spread = 0.11 * ((np.arange(len(values)) * 0.618034) % 1 - 0.5) * min(1, len(values) - 1)
    face = color if filled else "none"
    axis.scatter(at + spread, values, s=18, facecolors=face, edgecolors=color, linewidths=0.9, alpha=0.8)
    axis.hlines(np.median(values), at - 0.15, at + 0.15, color="#222222", linewidth=1.2)


def _points(axis: Axes, x: Array, labels: Array | None) -> None:
    if labels is None:
        axis.scatter(x[0], x[1], s=12, color="#444444", linewidths=0)
    else:
        if labels.ndim == 2:
            labels = labels.argmax(axis=0)
        for index in np.unique(labels).tolist():
            own = labels == index
            axis.scatter(
                x[0, own],
                x[1, own],
                s=14,
                color=class_color(index),
                edgecolors="white",
                linewidths=0.4,
                label=f"class {index}",
            )
        if len(np.unique(labels)) <= 8:
            axis.legend(frameon=True, framealpha=0.8, fontsize=7, loc="upper right")
    axis.set(xlabel="feature 0", ylabel="feature 1")


def _column(history: Any, name: str) -> Array:
    column = history[name] if hasattr(history, "keys") else getattr(history, name)
    return np.asarray(column, np.float64)


def _log_from_zero(axis: Axes, x: Array) -> None:
    """A logarithmic axis that still shows zero, where the numbers span more than two decades."""
    positive = x[np.isfinite(x) & (x > 0)]
    if len(positive) and positive.max() > 100 * positive.min():
        axis.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.3)
        axis.set_xlim(0, float(positive.max()) * 1.1)
