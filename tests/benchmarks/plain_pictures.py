"""The figures of the plain way: those that nnexp draws, as one draws them with pyplot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd


def write(folder: Path, pair: Any, train: Any, record: Any) -> None:
    """Learning curves, weight histograms, the decision boundary and its steps."""
    folder.mkdir()
    x, y = train
    table = pd.DataFrame(record.rows)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(table["iteration"], table[name])
        axis.plot(table["iteration"], table[f"val_{name}"])
        axis.set_xscale("symlog")
    figure.savefig(folder / "learning_curves.png")
    plt.close(figure)
    figure, axes = plt.subplots(2, 2)
    for axis, part in zip(axes.flat, pair.theta, strict=True):
        axis.hist(part.ravel(), bins=20)
    figure.savefig(folder / "weight_histograms.png")
    plt.close(figure)
    figure, axis = plt.subplots(figsize=(4, 4))
    axis.imshow(_classes(pair, x, 400), extent=(-1, 1, -1, 1), origin="lower")
    axis.scatter(x[:, 0], x[:, 1], c=y, s=14)
    figure.savefig(folder / "decision_boundary.png")
    plt.close(figure)
    last = pair.theta
    shapes = [part.shape for part in last]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    for at in np.unique(np.linspace(0, len(record.thetas) - 1, 20).round().astype(int)):
        parts = np.split(record.thetas[at], ends)
        pair.theta = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        image = np.eye(3)[_classes(pair, x, 200)].astype("float32")
        mlflow.log_image(image, key="boundary", step=int(table["iteration"].iloc[at]))
    pair.theta = last


def _classes(pair: Any, x: Any, size: int) -> Any:
    line = np.linspace(-1, 1, size)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    pair.evaluate(grid, np.zeros(len(grid), int))
    return pair.activation_2.output.argmax(axis=1).reshape(size, size)
