"""Decision boundaries side by side: networks, moments of training, and their animation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnexp.boundary import boundary_image, extent
from nnexp.inside.frames import timeline
from nnexp.inside.trajectory import Trajectory
from nnexp.problem import Problem
from nnexp.style import LABELS, Picture, looks, picture

Array = np.ndarray[Any, Any]


def boundaries(problem: Problem, thetas: Mapping[str, Array]) -> Picture:
    """Decision boundaries of several networks on the same data, side by side."""
    figure, places = picture(1, len(thetas), size=(3.2, 3.2))
    shown = looks(thetas)
    for place, (title, theta) in zip(places, thetas.items(), strict=True):
        _image(place, problem, theta)
        place.set_title(title, fontsize=9, color=shown[title].color, fontweight="bold")
        place.set(xlabel="feature 0", ylabel="feature 1")
    return figure


def filmstrip(trajectories: Sequence[Trajectory], axis: str = "iteration", moments: int = 5) -> Picture:
    """A row of boundaries for each trajectory, at the same moments of ``axis`` for all."""
    clock = _moments(trajectories, axis, moments)
    figure, places = picture(len(trajectories), len(clock), size=(1.75, 1.75))
    shown = looks(path.label for path in trajectories)
    for row, path in enumerate(trajectories):
        for column, moment in enumerate(clock):
            place = places[row * len(clock) + column]
            at = path.at(axis, moment)
            _image(place, path.problem, path.theta[at], size=240)
            place.set(xticks=[], yticks=[])
            place.text(
                0.03, 0.97, f"loss {path.loss[at]:.3f}", transform=place.transAxes, fontsize=6.5, va="top",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5},
            )  # fmt: skip
            if row == 0:
                place.set_title(_clock(axis, moment), fontsize=8)
            if column == 0:
                place.set_ylabel(path.label, fontsize=9, color=shown[path.label].color, fontweight="bold")
    return figure


def save_animation(
    trajectories: Sequence[Trajectory],
    file: Path | str,
    axis: str = "iteration",
    steps: int = 40,
    size: int = 200,
    milliseconds: int = 120,
) -> Path:
    """Write the boundaries of all trajectories, learning side by side on one clock, as a looping GIF or WebP.

    Names, losses and the clock are written into the frames; the last one stays for two seconds.

    Raises:
        ValueError: a file of another kind, or inputs without a boundary.
    """
    from PIL import Image

    place = Path(file)
    if place.suffix not in (".gif", ".webp"):
        raise ValueError(f"file={place.name}: expected .gif or .webp")
    pictures = []
    known: dict[tuple[int, int], Array] = {}
    for moment in timeline(trajectories, axis, steps):
        columns = []
        for number, path in enumerate(trajectories):
            at = path.at(axis, moment)
            if (number, at) not in known:
                known[number, at] = boundary_image(path.problem, path.theta[at], size)
            columns.append((path.label, known[number, at], f"loss {path.loss[at]:.3f}"))
        pictures.append(_frame(columns, _clock(axis, moment), size))
    place.parent.mkdir(parents=True, exist_ok=True)
    durations = [milliseconds] * (len(pictures) - 1) + [2000]
    if place.suffix == ".gif":
        pictures = [frame.quantize(64, Image.Quantize.MEDIANCUT) for frame in pictures]
    options: dict[str, Any] = {"quality": 80, "method": 4} if place.suffix == ".webp" else {"optimize": True}
    pictures[0].save(place, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options)
    return place


def _frame(columns: Sequence[tuple[str, Array, str]], clock: str, size: int) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    gap, head, foot = 10, 22, 40
    whole = Image.new("RGB", (len(columns) * (size + gap) + gap, head + size + foot), "white")
    draw = ImageDraw.Draw(whole)
    font = ImageFont.load_default(13)
    shown = looks(label for label, _, _ in columns)
    for at, (label, image, loss) in enumerate(columns):
        left = gap + at * (size + gap)
        draw.text((left, 4), label, fill=shown[label].color, font=font)
        whole.paste(Image.fromarray(image), (left, head))
        draw.text((left, head + size + 3), loss, fill="#333333", font=font)
    draw.text((gap, head + size + 21), clock, fill="#333333", font=font)
    return whole


def _moments(trajectories: Sequence[Trajectory], axis: str, count: int) -> Array:
    clock = timeline(trajectories, axis, 200)
    chosen = np.unique(np.linspace(0, len(clock) - 1, count).round().astype(int))
    return clock[chosen]


def _clock(axis: str, moment: float) -> str:
    if axis == "seconds":
        return f"{moment:.3g} s"
    return f"{moment:,.0f} {LABELS[axis].split(' (')[0]}"


def _image(place: Any, problem: Problem, theta: Array, size: int = 300) -> None:
    left, right, low, high = extent(problem)
    place.grid(False)
    place.imshow(boundary_image(problem, theta, size=size), extent=(left, right, low, high), aspect="auto")
