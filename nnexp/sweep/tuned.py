"""The results of tuning, as files and as lines of text."""

from __future__ import annotations

import csv
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnexp.config.places import folders
from nnexp.sweep.compose.yaml_text import block
from nnexp.sweep.tuning import Tuned

FRESH = "seed=range(1000,1020)"
"""Seeds for comparing tuned methods: on its own seeds the best of many trials looks better than it is."""


def report(
    made: Sequence[Tuned], place: Path, arguments: Sequence[str], measure: str = "loss", sign: float = 1.0
) -> list[str]:
    """Write ``trials.csv`` and the config file ``sweep/tuned.yaml``; returns lines of text.

    Args:
        place: a folder.
        arguments: the command line's overrides of the task.
        measure: by which trials were compared.
        sign: of its values.
    """
    place.mkdir(parents=True, exist_ok=True)
    _table(made, place / "trials.csv", measure, sign)
    lines = []
    grid = []
    for tuned in made:
        pruned = sum(attempt.pruned for attempt in tuned.attempts)
        best = tuned.best
        jobs = f"median of {len(best.values)} jobs" if len(best.values) > 1 else "one job"
        lines.append(
            f"tuned {' '.join(best.settings)}: {measure} {sign * best.value:.4g} ({jobs}; "
            f"{len(tuned.attempts)} trials, {pruned} pruned)"
        )
        if math.isfinite(best.value):
            grid.append(dict(override.split("=", 1) for override in best.settings))
    if not grid:
        return lines
    file = place / "sweep" / "tuned.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = block({"defaults": ["default", "_self_"], "grid": grid})
    file.write_text(f"# The best of {len(made[0].attempts)} trials of each method.\n{text}", encoding="utf-8")
    searched = {axis.key for tuned in made for axis in tuned.study.axes}
    swept = {key for settings in grid for key in settings} | searched
    lasting = [
        re.sub(r"=choice\(([^,]*|\[.*\])\)$", r"=\1", argument)
        for argument in arguments
        if (key := argument.split("=")[0]) not in swept and key != "seed" and not key.startswith("sweep")
    ]
    # The command line takes one folder of config files; where there is one already, the grid is written out.
    own = folders()[:-1]
    chosen = [str(own[0]), _grid_override(grid)] if own else [str(place), "sweep=tuned"]
    words = ["python", "-m", "nnexp.run", "-m", "--config-dir", *chosen]
    lines.append(f"Compare them on other seeds: {shlex.join([*words, *lasting, FRESH])}")
    return lines


def _grid_override(grid: Sequence[Mapping[str, str]]) -> str:
    """The grid as an override; values are quoted, as a list would be several values.

    >>> _grid_override([{"optimizer": "sgd", "architecture.hidden": "[8,8]"}])
    'sweep.grid=[{optimizer:"sgd",architecture.hidden:"[8,8]"}]'
    """

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '\\"') + '"'

    blocks = (",".join(f"{key}:{quoted(value)}" for key, value in one.items()) for one in grid)
    return f"sweep.grid=[{','.join(f'{{{text}}}' for text in blocks)}]"


def _table(made: Sequence[Tuned], file: Path, measure: str, sign: float) -> None:
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("study", "trial", "settings", "jobs", "pruned", f"median_{measure}"))
        for number, tuned in enumerate(made):
            for at, attempt in enumerate(tuned.attempts):
                values = (len(attempt.values), attempt.pruned, sign * attempt.value)
                writer.writerow((number, at, " ".join(attempt.settings), *values))
