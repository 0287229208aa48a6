"""Hyperparameters against results: parallel coordinates, heat maps, importance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize

from nnexp.pictures.style import LABELS, Picture, looks, picture
from nnexp.results import measure_of
from nnexp.stats.importance import Importance, columns, spans_decades, varied

Array = np.ndarray[Any, Any]

PAPER = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.0}
"""The background of text that lines may cross."""

MOST_LINES = 300
"""The most runs that are drawn as lines."""

MAP = "cividis"
"""A colour map that is uniform in lightness and suitable for colour-blind readers."""


def parallel_coordinates(
    runs: pd.DataFrame, settings: Sequence[str] | None = None, measure: str = "loss"
) -> Picture:
    """Every finished run as a line across its settings to its ``measure``, which also gives its colour.

    Settings that span decades have logarithmic scales; a setting that a run does not have is at the bottom, with the
    label "none". The better runs are drawn last.

    Raises:
        ValueError: no setting that varies, or no finished run.
    """
    names = list(varied(runs) if settings is None else settings)
    value = pd.to_numeric(runs[measure], errors="coerce")
    done = runs[(runs["status"] == "finished") & np.isfinite(value)]
    if not names or done.empty:
        raise ValueError(f"settings={names}, {len(done)} finished runs: expected one or more of each")
    about = measure_of(runs, measure)
    done = done.loc[value[done.index].sort_values(ascending=about.higher).index]
    every = len(done)
    if every > MOST_LINES:
        # The best, which are drawn last, and every n-th of the rest.
        rest = done.iloc[: every - MOST_LINES // 2]
        done = pd.concat(
            [rest.iloc[:: -(-len(rest) // (MOST_LINES // 2))], done.iloc[every - MOST_LINES // 2 :]]
        )
    result = value[done.index].to_numpy(float)
    numbers = columns(done, names).to_numpy(float)
    heights = np.column_stack([*(_unit(numbers[:, at]) for at in range(len(names))), _unit(result)])
    figure, (place,) = picture(size=(1.8 + 1.7 * len(names), 3.4))
    place.grid(False)
    x = np.arange(len(names) + 1)
    # Small offsets separate runs with the same settings.
    fan = 0.012 * (((np.arange(len(done)) * 0.618034) % 1) - 0.5)[:, None] * (x < len(names))
    lines = np.stack([np.broadcast_to(x, heights.shape), (heights + 2 * fan).clip(-0.02, 1.02)], axis=-1)
    drawn = LineCollection(list(lines), cmap=MAP, norm=Normalize(result.min(), result.max()), alpha=0.65)
    drawn.set_array(result)
    drawn.set_linewidth(1.1)
    place.add_collection(drawn)
    for at, name in enumerate(names):
        for height, text in _marks(done[name], numbers[:, at]):
            place.text(
                at - 0.03, height, text, ha="right", va="center", fontsize=7.5, color="#222222", bbox=PAPER
            )
    for height, number in zip(np.linspace(0, 1, 5), np.linspace(result.min(), result.max(), 5), strict=True):
        place.text(
            len(names) + 0.03, height, f"{number:.3g}", ha="left", va="center", fontsize=7.5, bbox=PAPER
        )
    place.vlines(x, -0.02, 1.02, color="#888888", linewidth=0.8)
    place.set_xticks(x, [*(_name(name) for name in names), about.label.replace(" (", "\n(")], fontsize=8)
    place.set(xlim=(-0.45, len(names) + 0.35), ylim=(-0.06, 1.06), yticks=[])
    place.spines[["left", "bottom"]].set_visible(False)
    place.tick_params(length=0)
    if every > len(done):
        title = f"{len(done)} of {every} runs: the best {MOST_LINES // 2}, and some of the rest"
        place.set_title(title, fontsize=8, loc="left", color="#555555")
    return figure


def expected_best(table: pd.DataFrame, measure: str = "val_loss") -> Picture:
    """The expected best of n trials against n, by method, with its interval.

    Args:
        table: as :func:`nnexp.stats.trials.tuning_curves` gives.
    """
    figure, (place,) = picture(size=(6.4, 3.4))
    shown = looks(table["method"])
    for method, rows in table.groupby("method", sort=False):
        look = shown[str(method)]
        x = rows["trials"].to_numpy(float)
        place.plot(
            x, rows["best"], look.dash, color=look.color, linewidth=1.6, label=str(method), marker=look.marker,
            markersize=4, markevery=max(1, len(x) // 8),
        )  # fmt: skip
        place.fill_between(
            x,
            rows["low"].to_numpy(float),
            rows["high"].to_numpy(float),
            color=look.color,
            alpha=0.15,
            linewidth=0,
        )
    place.set(xlabel="trials", ylabel=f"expected best {LABELS.get(measure, measure).split(' (')[0]}")
    place.legend(fontsize=8, frameon=False)
    return figure


def heat_map(runs: pd.DataFrame, x: str, y: str, measure: str = "loss") -> Picture:
    """The mean ``measure`` of finished runs for each pair of the settings ``x`` and ``y``, with the number of runs.

    Raises:
        ValueError: no finished run that has both settings.
    """
    done = runs[(runs["status"] == "finished") & runs[x].notna() & runs[y].notna()]
    value = pd.to_numeric(done[measure], errors="coerce")
    done = done[np.isfinite(value)]
    if done.empty:
        raise ValueError(f"x={x}, y={y}: expected a finished run with both settings, there is none")
    cells = done.assign(**{measure: value[done.index]}).groupby([done[y].map(_key), done[x].map(_key)])[
        measure
    ]
    mean, count = cells.mean().unstack(), cells.size().unstack()
    figure, (place,) = picture(size=(1.9 + 0.75 * mean.shape[1], 1.5 + 0.5 * mean.shape[0]))
    place.grid(False)
    image = place.imshow(mean.to_numpy(float), cmap=MAP, aspect="auto", origin="lower")
    middle = (np.nanmin(mean) + np.nanmax(mean)) / 2
    for row in range(mean.shape[0]):
        for column in range(mean.shape[1]):
            number = mean.iat[row, column]
            if np.isfinite(number):
                color = "white" if number < middle else "black"
                text = f"{number:.3g}\nn={int(count.iat[row, column])}"
                place.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    place.set_xticks(range(mean.shape[1]), [_label(v) for v in mean.columns], fontsize=8)
    place.set_yticks(range(mean.shape[0]), [_label(v) for v in mean.index], fontsize=8)
    place.set(xlabel=_name(x, " "), ylabel=_name(y, " "))
    figure.colorbar(image, ax=place, label=f"mean {measure_of(runs, measure).label}", shrink=0.9)
    return figure


def importance_bars(found: Importance, measure: str = "loss") -> Picture:
    """The importance of each setting as a bar with the standard deviation over shuffles; the title has the R²."""
    table = found.table.iloc[::-1]
    figure, (place,) = picture(size=(5.0, 1.3 + 0.36 * len(table)))
    place.barh(
        [_name(name, " ") for name in table["setting"]], table["importance"], xerr=table["sd"],
        color="#0072B2", height=0.6, error_kw={"elinewidth": 1, "ecolor": "#333333"},
    )  # fmt: skip
    place.axvline(0, color="#333333", linewidth=0.8)
    place.set_xlabel(
        f"rise of squared error when shuffled\n(share of the variance of {LABELS.get(measure, measure).split(' (')[0]})"
    )
    sure = "" if found.r2 > 0.1 else ":\nit cannot predict, so these bars are meaningless"
    title = f"{found.runs} runs; forest's R² on runs it had not seen: {found.r2:.2f}{sure}"
    place.set_title(title, fontsize=8, loc="left", color="#555555")
    return figure


def _unit(values: Array) -> Array:
    low, high = values.min(), values.max()
    return np.full(len(values), 0.5) if high == low else (values - low) / (high - low)


def _marks(raw: pd.Series, numbers: Array) -> list[tuple[float, str]]:
    """Heights and texts along one setting's axis: every value where they are few, else five ticks."""
    heights = _unit(numbers)
    pairs = {round(float(h), 4): _label(_key(v)) for h, v in zip(heights, raw, strict=True)}
    if len(pairs) <= 8:
        return sorted(pairs.items())
    low, high = float(numbers.min()), float(numbers.max())
    ticks = np.linspace(low, high, 5)
    log = spans_decades(raw)
    return [(float((t - low) / (high - low)), f"{10**t:.2g}" if log else f"{t:.3g}") for t in ticks]


def _key(value: Any) -> Any:
    if isinstance(value, list):
        return str(value)
    return value


def _label(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _name(setting: str, between: str = "\n") -> str:
    group, _, name = setting.rpartition(".")
    return f"{group}.{between.strip(' ')}{name}" if group else name
