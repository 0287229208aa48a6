"""The page's views of training: decision boundaries over time, and the loss plane, as compact data."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd

from nnexp.config.error import OutsideModule
from nnexp.figures.plane import contour_levels
from nnexp.inside import (
    Frames,
    Trajectory,
    boundary_frames,
    load_trajectories,
    loss_plane,
    timeline,
    typical_seed,
)
from nnexp.pictures.boundary import COLORS, extent, has_boundary
from nnexp.pictures.predictions import predictions
from nnexp.report.material import Material
from nnexp.report.payload import number, numbers
from nnexp.results import StoreError

Array = np.ndarray[Any, Any]

SIZE, STEPS, SHADES = 96, 48, 24
MOST_METHODS = 20
"""The most methods that are shown; with more the best by the verdict."""


def insights(material: Material, size: int = SIZE) -> dict[str, Any]:
    """For each task the boundaries over time and the loss plane of one seed's runs, or why there is none."""
    return {task: _insight(material, task, size) for task in material.tasks}


def _insight(material: Material, task: str, size: int) -> dict[str, Any]:
    runs = material.runs[(material.runs["task"] == task) & (material.runs["status"] == "finished")]
    chosen = one_seed(runs, material.methods)
    if chosen.empty:
        return {"why": "No run of this task finished."}
    chosen.attrs["uri"] = material.uri
    seed = str(chosen["replicate"].iloc[0])
    try:
        modules = [name.partition(".")[0] for name in material.trusted]
        paths = load_trajectories(chosen, by="variant", modules=modules)
    except OutsideModule as error:
        return {"seed": seed, "why": f"Weights cannot be shown: {error.advice}"}
    except (StoreError, ValueError) as error:
        return {"seed": seed, "why": f"Weights cannot be shown: {error}"}
    paths = [path for path in paths if len(path.theta)]
    if not paths:
        return {"seed": seed, "why": "No weights were kept."}
    found: dict[str, Any] = {"seed": seed, "clocks": _clocks(paths)}
    finished = set(runs.loc[runs["replicate"].astype(str) == seed, "variant"])
    found["beyond"] = len(finished - set(chosen["variant"]))
    found["losses"] = {path.label: numbers(path.loss) for path in paths}
    if all(has_boundary(path.problem) for path in paths):
        found["boundary"] = _boundary(paths, size)
    else:
        found["no_boundary"] = (
            "Decision boundaries need two features and classes; these are the predictions of each run at its end."
        )
        found["predictions"] = {path.label: _predictions(path) for path in paths}
    try:
        found["plane"] = _plane(paths)
    except ValueError as error:
        found["no_plane"] = f"No common plane: {error}."
    return found


def _predictions(path: Trajectory) -> list[dict[str, str]]:
    """Pictures of the predictions of a run's last weights, with titles; none if the weights are not finite."""
    theta = path.theta[-1]
    if not np.isfinite(theta).all():
        return []
    return [
        {"title": name.replace("_", " "), "image": _address(figure._repr_png_())}
        for name, figure in predictions(path.problem, theta).items()
    ]


def one_seed(runs: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """One run of each method with a common seed: that nearest to the medians, else that which most methods finished."""
    if runs.empty:
        return runs
    keyed = runs.assign(seed=runs["replicate"])
    try:
        seed = typical_seed(keyed, by="variant")
    except ValueError:
        seed = keyed.groupby("seed")["variant"].nunique().idxmax()
    rows = keyed[keyed["seed"] == seed].drop_duplicates("variant").set_index("variant", drop=False)
    order = [name for name in methods if name in rows.index][:MOST_METHODS]
    return rows.loc[order].reset_index(drop=True)


def _clocks(paths: list[Trajectory]) -> dict[str, Any]:
    clocks = {}
    for axis in ("iteration", "evaluations", "seconds"):
        if any(not np.isfinite(getattr(path, axis)).all() for path in paths):
            continue
        moments = timeline(paths, axis, STEPS)
        at = {path.label: [path.at(axis, moment) for moment in moments] for path in paths}
        clocks[axis] = {"moments": numbers(moments), "at": at}
    return clocks


def _boundary(paths: list[Trajectory], size: int) -> dict[str, Any]:
    problem = paths[0].problem
    left, right, low, high = extent(problem)
    held_out = problem.validation if problem.test is None else problem.test

    def points(data: Any) -> dict[str, Any]:
        x, y = np.asarray(data.x, np.float64), np.asarray(data.y)
        labels = y.argmax(axis=0) if y.ndim > 1 else y
        across, down = (x[0] - left) / (right - left), (high - x[1]) / (high - low)
        return {"x": numbers(across, 4), "y": numbers(down, 4), "class": labels.astype(int).tolist()}

    return {
        "size": size,
        "colors": ["#" + bytes(color.astype(np.uint8)).hex() for color in COLORS],
        "strips": {path.label: _strip(boundary_frames(path, size)) for path in paths},
        "training": points(problem.train),
        "held_out": None if held_out is None else points(held_out),
    }


def _strip(frames: Frames) -> str:
    """All frames stacked in one PNG with a palette: the class's colour in :data:`SHADES` strengths."""
    from PIL import Image

    kinds = len(COLORS)
    level = np.clip((frames.sure * SHADES).astype(np.uint8), 0, SHADES - 1)
    image = (frames.classes % kinds) * SHADES + level
    strength = 0.12 + 0.5 * (np.arange(SHADES) + 0.5) / SHADES
    palette = 255 + (COLORS[:, None, :] - 255) * strength[None, :, None]
    picture = Image.fromarray(image.reshape(-1, frames.classes.shape[-1]).astype(np.uint8), "P")
    picture.putpalette(palette.round().astype(np.uint8).tobytes())
    return _png(picture)


def _png(picture: Any) -> str:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return _address(out.getvalue())


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _plane(paths: list[Trajectory]) -> dict[str, Any]:
    """The grid as a grey image with contours, and paths in units of its sides, y downwards."""
    from contourpy import contour_generator
    from PIL import Image

    found = loss_plane(paths)
    finite = found.loss[np.isfinite(found.loss)]
    levels = contour_levels(finite, 16)
    shown = np.where(np.isfinite(found.loss), found.loss, finite.max()).clip(levels[0], levels[-1])
    high = np.log(shown / levels[0]) / np.log(levels[-1] / levels[0])
    shade = (255 - 118 * high).round().astype(np.uint8)
    lines = contour_generator(z=np.log(shown))
    size = len(found.a) - 1

    def drawn(level: float) -> list[list[float | None]]:
        parts = lines.lines(float(np.log(level)))
        return [numbers((np.asarray(part) / size * [1, -1] + [0, 1]).reshape(-1), 4) for part in parts]

    def placed(points: Array) -> dict[str, Any]:
        x = (points[:, 0] - found.a[0]) / (found.a[-1] - found.a[0])
        y = 1 - (points[:, 1] - found.b[0]) / (found.b[-1] - found.b[0])
        return {"x": numbers(x, 4), "y": numbers(y, 4)}

    share = found.plane.explained
    return {
        "image": _png(Image.fromarray(shade[::-1])),
        "contours": [drawn(level) for level in levels[1:-1]],
        "low": number(levels[0]),
        "high": number(levels[-1]),
        "explained": numbers(share, 3),
        "aspect": number((found.b[-1] - found.b[0]) / (found.a[-1] - found.a[0])),
        "paths": {name: placed(points) for name, points in zip(found.labels, found.points, strict=True)},
        "true": {name: numbers(v) for name, v in zip(found.labels, found.true_loss, strict=True)},
        "shown": {name: numbers(v) for name, v in zip(found.labels, found.plane_loss, strict=True)},
        "off": {name: numbers(v, 3) for name, v in zip(found.labels, found.off, strict=True)},
    }
