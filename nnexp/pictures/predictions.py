"""A network's predictions for data without a plane: confusion matrix, sample images, filters, numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnexp.data.dataset import Data
from nnexp.losses.metrics import confusion
from nnexp.losses.metrics.classes import true_classes
from nnexp.losses.targets import Target, target
from nnexp.pictures.style import Picture, picture
from nnexp.training.problem import Problem

Array = np.ndarray[Any, Any]

MOST_CLASSES = 30
"""The most classes of a readable confusion matrix."""

MOST_SAMPLES = 10_000
"""The most samples that are shown."""

COLUMNS, ROWS = 8, 4
"""Pictures in a row, and rows."""


def predictions(problem: Problem, theta: Array) -> dict[str, Picture]:
    """Pictures of the predictions of theta ``(P,)`` for held-out data, by name.

    For classes the confusion matrix, for images samples with their predictions and the first layer's filters, for
    numbers predictions against targets. Data with a run axis have none.
    """
    if problem.train.x.ndim != 2:
        return {}
    found = {}
    data, kind = _shown(problem)
    to = target(data.y, problem.network.layout.sizes[-1], problem.network.dtype)
    outputs = problem.network.forward(np.asarray(theta, problem.network.dtype), data.x)
    one = to.values.shape[0] == 1 and bool(np.isin(to.values, (0, 1)).all())
    if to.labels is None and not one:
        found["predictions"] = against_targets(outputs, to.values, kind)
    elif len(counts := confusion(outputs, to)) <= MOST_CLASSES:
        found["confusion_matrix"] = confusion_matrix(counts, kind)
    shape = problem.shape
    if len(shape) == 3 and min(shape[1:]) > 1:
        found["sample_images"] = sample_images(data, outputs, to, shape, kind)
        if (filters := first_filters(problem, theta)) is not None:
            found["first_filters"] = filters
    return found


def confusion_matrix(counts: Array, kind: str = "") -> Picture:
    """The confusion matrix, a row for each class, a column for each predicted class; shades are shares of the row."""
    size = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (place,) = picture(size=(1.4 + 0.36 * max(size, 4), 1.3 + 0.36 * max(size, 4)))
    place.grid(False)
    place.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(size, size):
        if counts[row, column]:
            color = "white" if shares[row, column] > 0.6 else "#222222"
            text = str(counts[row, column])
            place.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    place.set(xlabel="predicted class", ylabel="class", xticks=range(size), yticks=range(size))
    right = np.trace(counts) / max(counts.sum(), 1)
    place.set_title(f"{kind}: {right:.1%} of {counts.sum()} right", fontsize=8, loc="left", color="#555555")
    return figure


def sample_images(data: Data, outputs: Array, to: Target, shape: tuple[int, ...], kind: str = "") -> Picture:
    """The first images with their predicted classes, half of them wrong predictions, in red."""
    count = outputs.shape[-1]
    true = true_classes(to) if to.labels is not None or len(to.values) == 1 else None
    taken = (outputs[0] > 0.5).astype(int) if len(outputs) == 1 else outputs.argmax(axis=0)
    most = COLUMNS * ROWS
    wrong = np.zeros(count, bool) if true is None else taken != true
    right = np.flatnonzero(~wrong)[: max(most // 2, most - int(wrong.sum()))]
    chosen = np.concatenate([right, np.flatnonzero(wrong)])[:most]
    images = np.stack([_visible(np.asarray(data.x[:, at]).reshape(shape)) for at in chosen])
    texts = [
        f"{taken[at]}, not {true[at]}" if true is not None and wrong[at] else str(taken[at]) for at in chosen
    ]
    title = f"{kind}: predicted class; {int(wrong.sum())} of {count} wrong"
    return _tiles(images, title, texts, wrong[chosen], cmap="gray_r")


def first_filters(problem: Problem, theta: Array) -> Picture | None:
    """The weights of the first layer with weights, an image for each neuron or channel; None if they are not images."""
    shape, layout = problem.shape, problem.network.layout
    named = layout.named(np.asarray(theta, np.float64))
    weights = next((array for name, array in named.items() if name.endswith("weights")), None)
    if weights is None:
        return None
    images = weights if weights.ndim == 4 else None
    if weights.ndim == 2 and weights.shape[1] == int(np.prod(shape)):
        images = weights.reshape(-1, *shape)
    if images is None or min(images.shape[-2:]) < 2:
        return None
    shown = images[: COLUMNS * ROWS].mean(axis=1)
    largest = float(np.abs(shown).max()) or 1.0
    of = f"the first {len(shown)} of {len(images)}" if len(images) > len(shown) else f"all {len(images)}"
    title = f"weights of the first layer, {of}; red up to {largest:.2g}, blue below 0"
    return _tiles(shown, title, cmap="RdBu_r", vmin=-largest, vmax=largest)


def against_targets(outputs: Array, values: Array, kind: str = "") -> Picture:
    """Each output against its target; on the line they are equal."""
    figure, places = picture(1, len(values), size=(3.2, 3.0))
    for at, place in enumerate(places):
        ends = [float(values[at].min()), float(values[at].max())]
        place.plot(ends, ends, color="#999999", linewidth=1)
        place.scatter(values[at], outputs[at], s=8, color="#0072B2", alpha=0.6, linewidths=0)
        place.set(
            xlabel="target" if len(values) == 1 else f"target {at}", ylabel="predicted" if not at else ""
        )
    places[0].set_title(f"{kind}, {values.shape[1]} samples", fontsize=8, loc="left", color="#555555")
    return figure


def _visible(image: Array) -> Array:
    """An image ``(channels, height, width)`` for drawing: three channels as colours, others as their mean."""
    if len(image) != 3:
        return np.asarray(image.mean(axis=0))
    low, high = float(image.min()), float(image.max())
    return np.moveaxis(image - low, 0, -1) / ((high - low) or 1.0)


def _tiles(
    images: Array, title: str, texts: Sequence[str] = (), bad: Sequence[bool] | Array = (), **looks: Any
) -> Picture:
    """Images ``(n, height, width, ...)`` in one picture, :data:`COLUMNS` in a row: separate axes take a second."""
    count, high, wide = images.shape[:3]
    rows, columns = -(-count // COLUMNS), min(COLUMNS, count)
    # Room for a line of text above each, as high as a third of an image.
    above, between = (high / 3 if len(texts) else high / 12), wide / 12
    figure, (place,) = picture(size=(0.8 * columns, 0.35 + 0.72 * rows * (high + above) / wide))
    place.axis("off")
    for at, image in enumerate(images):
        x, y = (at % COLUMNS) * (wide + between), (at // COLUMNS) * (high + above)
        place.imshow(image, extent=(x, x + wide, y + high, y), **looks)
        if len(texts):
            color = "#B00020" if bad[at] else "#222222"
            place.text(
                x + wide / 2, y - high / 30, texts[at], fontsize=7, ha="center", va="bottom", color=color
            )
    place.set(xlim=(0, columns * (wide + between)), ylim=(rows * (high + above), -above))
    place.set_title(title, fontsize=8, loc="left", color="#555555")
    return figure


def _shown(problem: Problem) -> tuple[Data, str]:
    """Test data, else validation data, else training data, with their name."""
    kinds = (("test data" if problem.validation is not None else "held-out data", problem.test),
             ("validation data", problem.validation), ("training data", problem.train))  # fmt: skip
    kind, data = next((kind, data) for kind, data in kinds if data is not None)
    return Data(data.x[..., :MOST_SAMPLES], data.y[..., :MOST_SAMPLES]), kind
