"""An animation of the decision boundaries of several methods during training, with a common clock."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnexp.figures.boundaries import clock_text
from nnexp.inside.frames import timeline
from nnexp.inside.trajectory import Trajectory
from nnexp.pictures.boundary import boundary_image
from nnexp.pictures.style import looks

Array = np.ndarray[Any, Any]

KINDS = ("gif", "webp")


class Animation(NamedTuple):
    """A looping animation as the bytes of a file, which notebooks display."""

    data: bytes
    kind: str

    def save(self, file: Path | str) -> Path:
        """Write the file, with the suffix of its kind."""
        place = Path(file).with_suffix(f".{self.kind}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.data)
        return place

    def _repr_html_(self) -> str:
        text = base64.b64encode(self.data).decode("ascii")
        return f'<img src="data:image/{self.kind};base64,{text}" alt="Decision boundaries while training">'


def animation(
    trajectories: Sequence[Trajectory],
    axis: str = "iteration",
    steps: int = 40,
    size: int = 200,
    milliseconds: int = 120,
    kind: str = "gif",
) -> Animation:
    """The boundaries of all trajectories at ``steps`` moments of ``axis``, as a GIF or WebP.

    Names, losses and the clock are written into the frames; the last one stays for two seconds.

    Raises:
        ValueError: another kind of file, or inputs without a boundary.
    """
    from PIL import Image

    if kind not in KINDS:
        raise ValueError(f"kind={kind}: expected one of {', '.join(KINDS)}")
    pictures = []
    known: dict[tuple[int, int], Array] = {}
    for moment in timeline(trajectories, axis, steps):
        columns = []
        for number, path in enumerate(trajectories):
            at = path.at(axis, moment)
            if (number, at) not in known:
                known[number, at] = boundary_image(path.problem, path.theta[at], size)
            columns.append((path.label, known[number, at], f"loss {path.loss[at]:.3f}"))
        pictures.append(_frame(columns, clock_text(axis, moment), size))
    durations = [milliseconds] * (len(pictures) - 1) + [2000]
    if kind == "gif":
        pictures = [frame.quantize(64, Image.Quantize.MEDIANCUT) for frame in pictures]
    options: dict[str, Any] = {"quality": 80, "method": 4} if kind == "webp" else {"optimize": True}
    out = io.BytesIO()
    pictures[0].save(
        out, kind.upper(), save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options
    )
    return Animation(out.getvalue(), kind)


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
