"""Pictures of sweeps: the numbers in them, their axes, and their files."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_inside import problem, walks

from nnexp import figures, inside
from nnexp.figures.curves import summarize
from nnexp.figures.plane import errata
from nnexp.pictures import colors, style
from nnexp.stats.aggregates import aggregate
from nnexp.stats.importance import importance, varied

METHODS = ("random", "sgd", "sgd momentum=0.9")


def history(seeds: int = 3, tasks: tuple[str, ...] = ("spiral",)) -> pd.DataFrame:
    rows = []
    for task, method, seed in itertools.product(tasks, METHODS, range(seeds)):
        for iteration in (0, 1, 10, 100):
            value = 1 / (1 + iteration) + 0.1 * seed
            rows.append(
                {"run_id": f"{task}{method}{seed}", "task": task, "method": method, "seed": seed,
                 "iteration": iteration, "evaluations": 3 * iteration + 1, "seconds": (iteration + 1) / 1000,
                 "epochs": iteration, "loss": value, "val_loss": value, "accuracy": 1 - value / 2,
                 "val_accuracy": np.nan, "test_loss": np.nan, "test_accuracy": np.nan}
            )  # fmt: skip
    return pd.DataFrame(rows)


def grid_of_runs() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"status": "finished", "seed": seed, "optimizer.learning_rate": rate, "optimizer.momentum": momentum,
         "optimizer.batch_size": batch, "loss": abs(np.log10(rate)) + 0.01 * rng.standard_normal()}
        for rate, momentum, batch, seed in itertools.product((0.01, 0.1, 1.0), (0.0, 0.9), (None, 16), range(5))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_bands_hold_values_and_say_how_many_runs() -> None:
    table = figures.bands(history(), at=[0, 5, 100])
    sgd = table[table["method"] == "sgd"]
    np.testing.assert_allclose(sgd["middle"], [1.1, 0.6, 1 / 101 + 0.1])
    assert (sgd["n"] == 3).all()
    assert (sgd["low"] < sgd["middle"]).all()
    assert (sgd["middle"] < sgd["high"]).all()


def test_the_band_of_means_is_the_interval_of_the_tables() -> None:
    values = np.random.default_rng(0).gamma(2, size=(2, 30))
    low, middle, high = summarize(values)
    for row, runs in enumerate(values):
        estimate = aggregate([runs], 0.95, 10, np.random.default_rng(0)).mean
        np.testing.assert_allclose([middle[row], low[row], high[row]], estimate)
    assert [ends.tolist() for ends in summarize(values[:, :1])] == [values[:, 0].tolist()] * 3
    low, middle, high = summarize(values, "spread")
    np.testing.assert_allclose([low[0], middle[0], high[0]], np.quantile(values[0], [0.1, 0.5, 0.9]))


def test_a_run_without_values_is_not_drawn_as_one() -> None:
    table = history()
    table.loc[table["run_id"] == "spiralsgd0", "loss"] = np.nan
    assert (figures.bands(table).groupby("method")["n"].first() == [3, 2, 3]).all()
    assert figures.bands(table, "val_accuracy").empty


def test_curves_have_units_on_their_axes_and_a_row_a_task() -> None:
    figure = figures.curves(history(tasks=("spiral", "vertical")), axes=("iteration", "seconds", "epochs"))
    labels = [place.get_xlabel() for place in figure.axes]
    assert labels == [style.LABELS[axis] for axis in ("iteration", "seconds", "epochs")] * 2
    assert len(figure.axes[0].lines) == len(METHODS)


def test_every_finished_run_is_a_dot_and_the_lost_are_counted() -> None:
    runs = pd.DataFrame({"method": ["sgd"] * 5 + ["random"] * 4, "loss": np.arange(9.0), "accuracy": 0.5})
    runs["status"] = ["failed", *["finished"] * 8]
    loss, _ = figures.final_distributions(runs).axes
    dots = [c for c in loss.collections if len(getattr(c, "get_sizes", list)())]
    assert sorted(y for c in dots for y in c.get_offsets()[:, 1]) == list(range(1, 9))
    assert [label.get_text() for label in loss.get_xticklabels()] == ["sgd\n(1 lost)", "random"]


def test_a_method_looks_the_same_in_every_picture() -> None:
    few, many = (
        style.looks(["sgd", "random"]),
        style.looks(["random", *METHODS, "perturb", "sgd batch_size=32"]),
    )
    assert all(few[name] == many[name] for name in few)
    assert len({look.color for look in many.values()}) == 5
    alike = style.looks(["sgd learning_rate=1", "sgd learning_rate=0.1", "sgd learning_rate=0.01"])
    assert len({look.color for look in alike.values()}) == 3
    assert len({look.dash for look in alike.values()}) == 3
    own = colors.OWN["sgd"][0]
    assert style.method_color("sgd momentum=0") == style.method_color("sgd batch_size=null") == own
    assert style.looks(iter(METHODS)) == style.looks(METHODS)


def test_colours_of_methods_are_apart_for_colour_blind_eyes() -> None:
    """CIELAB distances as protanopes and deuteranopes see them (Machado, Oliveira and Fernandes, 2009)."""
    drawn = dict.fromkeys(color for color, _, _ in colors.OWN.values())
    linear = np.array([[int(c[at : at + 2], 16) / 255 for at in (1, 3, 5)] for c in drawn]) ** 2.2
    protan = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    deutan = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for eye in (protan, deutan, np.eye(3)):
        xyz = (linear @ np.array(eye).T).clip(0, 1) @ to_xyz.T / to_xyz.sum(axis=1)
        x, y, z = np.cbrt(xyz).T
        lab = np.stack([116 * y, 500 * (x - y), 200 * (y - z)], axis=1)
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 15


def test_heat_maps_hold_means() -> None:
    runs = grid_of_runs()
    figure = figures.heat_map(runs, "optimizer.learning_rate", "optimizer.momentum")
    shown = figure.axes[0].images[0].get_array()
    expected = runs.pivot_table(index="optimizer.momentum", columns="optimizer.learning_rate", values="loss")
    np.testing.assert_allclose(shown, expected)
    with pytest.raises(ValueError, match="expected a finished run"):
        figures.heat_map(runs.assign(status="failed"), "optimizer.momentum", "optimizer.learning_rate")


def test_parallel_coordinates_have_a_line_for_each_run() -> None:
    runs = grid_of_runs()
    figure = figures.parallel_coordinates(runs)
    assert len(figure.axes[0].collections[0].get_segments()) == len(runs)
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"0.01", "0.1", "1", "none", "16"} <= texts
    with pytest.raises(ValueError, match="settings="):
        figures.parallel_coordinates(runs.assign(status="failed"))


def test_settings_that_vary_are_parts_names_but_no_whole_options_and_no_classes() -> None:
    runs = (
        grid_of_runs()
        .iloc[:2]
        .assign(
            **{
                "architecture.name": ["mlp", "wide"],
                "architecture.activation.name": ["relu", "tanh"],
                "architecture.activation._target_": ["a.ReLU", "a.Tanh"],
                "optimizer.learning_rate": 1.0,
                "optimizer.momentum": 0.0,
                "optimizer.batch_size": None,
            }
        )
    )
    assert varied(runs) == ["architecture.activation.name"]


def test_importance_finds_what_was_planted() -> None:
    pytest.importorskip("sklearn")
    found = importance(grid_of_runs())
    assert found.table["setting"].iloc[0] == "optimizer.learning_rate"
    assert found.table["importance"].iloc[0] > 0.5
    assert found.table["importance"].iloc[1:].abs().max() < 0.02
    assert found.r2 > 0.95
    noise = grid_of_runs()
    noise["loss"] = np.random.default_rng(1).standard_normal(len(noise))
    nothing = importance(noise)
    assert nothing.r2 < 0.2
    assert "meaningless" in figures.importance_bars(nothing._replace(r2=0.0)).axes[0].get_title("left")
    with pytest.raises(ValueError, match="10 or more"):
        importance(noise.head(4))


def test_ranks_and_profiles_show_their_numbers() -> None:
    table = pd.DataFrame({"method": METHODS, "rank": [3.0, 1.4, 1.6]})
    figure = figures.rank_diagram(table, [METHODS[1:]], 0.9, 5)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "sgd  1.40" in texts
    assert "3.00  random" in texts
    assert "critical difference 0.90" in texts
    profiles = pd.DataFrame({"method": ["sgd", "sgd", "random"], "tau": [1, 2, 1.5], "share": [0.5, 1, 0.2]})
    (place,) = figures.performance_profiles(profiles, "test loss").axes
    assert place.get_xlabel().endswith("test loss")
    assert len(place.lines) == 2


def test_the_plane_prints_how_far_it_is_from_the_truth() -> None:
    shown = inside.loss_plane(walks(problem()), size=9)
    figure = figures.loss_landscape(shown)
    title = figure.axes[0].get_title("left")
    assert f"{shown.plane.explained.sum():.0%}" in title
    for line in errata(shown):
        assert line in title
    assert f"end's loss {shown.true_loss[0][-1]:.4f}, the plane shows {shown.plane_loss[0][-1]:.4f}" in title


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_has_a_frame_for_each_moment(tmp_path: Path, kind: str) -> None:
    paths = walks(problem("float32"))
    made = figures.animation(paths, steps=6, size=40, kind=kind)
    file = made.save(tmp_path / "learning")
    assert f"data:image/{kind};base64," in made._repr_html_()
    with Image.open(file) as moving:
        frames: Any = moving.n_frames
    assert frames == len(inside.timeline(paths, steps=6))
    with pytest.raises(ValueError, match="kind=mp4: expected one of gif, webp"):
        figures.animation(paths, kind="mp4")


def test_all_draw_as_png_and_as_svg_without_pyplot(tmp_path: Path) -> None:
    before = "matplotlib.pyplot" in sys.modules
    paths = walks(problem("float32"))
    drawn = {
        "strip": figures.filmstrip(paths, moments=3),
        "side": figures.boundaries(paths[0].problem, {path.label: path.theta[-1] for path in paths}),
        "weights": figures.histograms_over_time(inside.weight_histograms(paths[0])),
        "gradients": figures.histograms_over_time(inside.gradient_histograms(paths[0]), True, "sgd"),
        "curves": figures.curves(history()),
    }
    for name, figure in drawn.items():
        png, svg = figure.save(tmp_path / name)
        assert png.read_bytes().startswith(b"\x89PNG")
        assert "<text" in svg.read_text("utf-8")
    again = figures.curves(history()).save(tmp_path / "again")[1]
    assert again.read_bytes() == (tmp_path / "curves.svg").read_bytes()
    assert ("matplotlib.pyplot" in sys.modules) == before
