"""Pictures: what they need, what they show, and that they leave no global state."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from nnexp.data import Data, Spiral
from nnexp.data.points import points
from nnexp.losses import CrossEntropy, SquaredError
from nnexp.network.network import Network
from nnexp.pictures import boundary, style
from nnexp.pictures import one_run as plots
from nnexp.pictures.colors import OWN, looks
from nnexp.training.problem import Problem

MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy")
KEYS = ("iteration", "evaluations", "seconds", *MEASURES)


def spiral(hidden: tuple[int, ...] = (8,)) -> tuple[Problem, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    network = Network(2, hidden, 3)
    data = Spiral(classes=3).points(30, rng)
    return Problem(network, CrossEntropy(), data), network.initial(rng, 1.0)


def png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def test_a_pixel_has_the_colour_of_the_class_that_the_network_gives_its_place() -> None:
    problem, theta = spiral()
    size = 60
    image = plots.boundary_image(problem, theta, size=size, points=False)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    left, right, low, high = boundary.extent(problem)
    for row, column in ((3, 5), (30, 30), (50, 12), (10, 55)):
        place = [left + (column + 0.5) * (right - left) / size, high - (row + 0.5) * (high - low) / size]
        outputs = problem.network.forward(theta, np.array(place)[:, None])[:, 0]
        tint = 255.0 - image[row, column]
        full = 255.0 - boundary.COLORS
        cosine = full @ tint / np.linalg.norm(full, axis=1) / np.linalg.norm(tint)
        assert cosine[:3].argmax() == outputs.argmax()


def test_the_data_is_drawn_over_the_boundary() -> None:
    problem, theta = spiral()
    image = plots.boundary_image(problem, theta).reshape(-1, 3).astype(int).tolist()
    for index in range(3):
        assert boundary.COLORS[index].astype(int).tolist() in image


def test_pixel_colours_are_those_of_the_figures() -> None:
    hexed = ["#" + bytes(color.astype(np.uint8)).hex().upper() for color in boundary.COLORS]
    assert hexed == list(style.PALETTE)


def test_no_boundary_without_two_features_and_classes() -> None:
    network = Network(3, [], 1, output="linear")
    problem = Problem(network, SquaredError(), points([[1, 2, 3]], [[0]]))
    assert not plots.has_boundary(problem)
    for draw in (plots.boundary_image, plots.decision_boundary):
        with pytest.raises(ValueError, match="two features"):
            draw(problem, np.zeros(network.layout.size))
    with pytest.raises(ValueError, match="two features"):
        plots.scatter(problem.train)


def test_one_hot_targets_are_classes() -> None:
    data = Spiral(classes=3).points(10, np.random.default_rng(0))
    hot = Data(data.x, np.eye(3, dtype=np.float32)[data.y].T)
    network = Network(2, [3], 3)
    loss = CrossEntropy()
    theta = network.initial(np.random.default_rng(1), 1.0)
    images = [plots.boundary_image(Problem(network, loss, d), theta) for d in (data, hot)]
    assert np.array_equal(*images)


def test_a_method_keeps_its_colour_and_strangers_get_a_stable_other_one() -> None:
    assert style.method_color("sgd") == OWN["sgd"][0]
    strange = looks(["never heard of"])["never heard of"]
    assert strange == looks(["never heard of"])["never heard of"]
    assert (strange.color, strange.dash) not in {look[:2] for look in OWN.values()}


def test_all_figures_draw_and_pyplot_is_not_touched() -> None:
    problem, theta = spiral()
    t = np.array([0, 1, 10, 100, 1000])
    history = {key: np.linspace(1, 0.5, 5) for key in KEYS} | {"iteration": t}
    history["val_loss"] = np.full(5, np.nan)
    table = pd.DataFrame(
        {"method": ["random", "sgd", "sgd"], "loss": [1.0, 0.5, np.nan], "accuracy": [0.3, 0.8, np.nan]}
    )
    before = "matplotlib.pyplot" in sys.modules
    figures = [
        plots.learning_curves(history, "sgd"),
        plots.learning_curves(pd.DataFrame(history), against="evaluations"),
        plots.decision_boundary(problem, theta),
        plots.weight_histograms(problem.network.layout, {"start": theta, "end": theta + np.nan}),
        plots.sweep_figure(table),
        plots.scatter(problem.train),
        plots.scatter(problem.train, classes=False),
    ]
    assert all(png(figure).startswith(b"\x89PNG") for figure in figures)
    assert figures[0]._repr_png_().startswith(b"\x89PNG")
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_curves_show_what_was_measured_and_name_their_axes() -> None:
    history = {key: np.arange(4.0) for key in KEYS} | {"val_loss": np.array([np.nan, 1, 2, np.nan])}
    history["test_loss"] = np.full(4, np.nan)
    loss, accuracy = plots.learning_curves(history, against="seconds").axes
    assert [len(line.get_xdata()) for line in loss.lines] == [4, 2]
    assert loss.get_xlabel() == "training time (s)"
    assert accuracy.get_ylabel() == "accuracy (share of samples)"


def test_every_seed_is_a_dot() -> None:
    table = pd.DataFrame({"method": ["a"] * 7 + ["b"] * 5, "loss": np.arange(12.0), "accuracy": np.ones(12)})
    loss, _ = plots.sweep_figure(table).axes
    dots = [c for c in loss.collections if hasattr(c, "get_sizes") and len(c.get_sizes())]
    assert sum(len(c.get_offsets()) for c in dots) == 12
