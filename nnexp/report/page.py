"""The page: one self-contained HTML file from a sweep's material."""

from __future__ import annotations

import base64
import io
import json
import math
import shlex
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from nnexp import __version__, figures
from nnexp.pictures.style import LABELS, Picture
from nnexp.report import tables
from nnexp.report.insight import SIZE, insights
from nnexp.report.material import Material
from nnexp.report.paper import caption, cells
from nnexp.report.payload import POINTS, charts
from nnexp.results.labels import cells as cells_of
from nnexp.stats.importance import importance, varied
from nnexp.stats.trials import trial_table, tuning_curves
from nnexp.tracking.locations import public, ui_command

PINNED = ("numpy", "nnfs", "pandas", "cmaes", "hydra-core", "mlflow")
"""Packages whose versions are needed to repeat a sweep."""

LEAST_SETTINGS = 4
"""The least number of settings of a method for a section on hyperparameters."""

MOST_CELLS = 12
"""The most values of a setting in a heat map."""

LARGEST = 3_500_000
"""The most characters of the charts' data, so that the page stays below 5 MB."""


def render(material: Material, limit: int = LARGEST) -> str:
    """The whole page as text, without references to other files.

    It does not contain the time: the same runs give the same page.

    Args:
        limit: characters of the charts' data; sweeps of very many tasks have coarser curves and boundaries.
    """
    colors = tables.method_colors(material)
    judgement = material.judgement
    comparisons = judgement.comparisons if judgement else {}
    varied_settings, shared = tables.differences(material)

    def only(table: tables.Table) -> tables.Table:
        return tables.without_task(table) if len(material.tasks) == 1 else table

    return template("page.html.j2").render(
        version=__version__,
        material=material,
        facts=_facts(material),
        verdict=_verdict(judgement.text if judgement else ""),
        paper=_paper(material),
        roles=roles(material),
        colors=colors,
        axes={name: LABELS[name] for name in comparisons},
        results={name: only(tables.results(found, colors)) for name, found in comparisons.items()},
        pairs={name: only(tables.pairs(found, colors)) for name, found in comparisons.items()},
        targets={name: only(tables.targets(found, colors)) for name, found in comparisons.items()},
        ranks=_ranks(material),
        hyperparameters=hyperparameters(material),
        trials=_trials(material, colors),
        failures=only(tables.failures(material, colors)),
        varied=varied_settings,
        shared=shared,
        tuning=_tuning(material, colors),
        every=only(tables.every_run(material, colors)),
        environment=_environment(material),
        commands=commands(material),
        data=data(material, limit),
    )


def data(material: Material, limit: int = LARGEST, inside: bool = True) -> Markup:
    """The data of the page's charts as JSON, coarser where it would be longer than ``limit``."""
    for detail in (1.0, 0.6, 0.35, 0.2):
        found = charts(material, round(POINTS * detail))
        if inside:
            found["inside"] = insights(material, round(SIZE * detail))
        text = _json(found)
        if len(text) <= limit:
            break
    return Markup(text)


def roles(material: Material) -> str:
    """A sentence on which data chose and which compare; empty where the measure is of training data."""
    measured = material.runs.notna().any()
    if material.measure.startswith("test_") and measured.get("val_loss", False):
        return (
            "Methods are compared on test data. Runs were stopped, and settings and best weights chosen, on validation "
            "data, which are other samples."
        )
    if material.measure.startswith("val_") and not measured.get("test_loss", False):
        return (
            "There is only one held-out dataset, called validation. Methods are compared on it, and runs may have been "
            "stopped and settings chosen by it too."
        )
    return ""


def commands(material: Material) -> list[tuple[str, str]]:
    """The commands that repeat the sweep and this page, with titles."""
    where = f" --uri {shlex.quote(public(material.uri))}"
    where += "" if material.experiment == "nnexp" else f" --experiment {shlex.quote(material.experiment)}"
    replay = f"python -m nnexp.replay {material.sweep}{where}"
    found = []
    given = material.tags.get("nnexp.overrides", "")
    commit = material.tags.get("nnexp.git_commit", "")
    versions = material.environment.get("packages", {})
    pins = [f"{name}=={versions[name]}" for name in PINNED if name in versions]
    if commit:
        dirty = material.tags.get("nnexp.git_dirty") == "true"
        tree = f"nnexp-{commit[:12]}"
        title = "In a clone of nnexp, the source" + (
            ", with its changes that are not committed" if dirty else ""
        )
        found.append((title, f"{replay} --checkout {tree}"))
        # Further packages are its dependencies.
        of = f"Its packages, for Python {material.environment.get('python', '')}".removesuffix(
            ", for Python "
        )
        found.append((of, " ".join([f"python -m pip install ./{tree}", *pins])))
    elif pins:
        found.append((f"The packages that nnexp {versions.get('nnexp', '')} ran with",
                      f"python -m pip install {' '.join(pins)}"))  # fmt: skip
    trusted = "".join(f" --trust {shlex.quote(name)}" for name in _outside(material))
    found.append(("Train every run again and compare it, bit for bit", replay + trusted))
    if given:
        cut = "... (sha256 " in given[-40:]
        try:
            words = shlex.join(shlex.split(given))
        except ValueError:
            # Cut within quotes.
            words = given
        title = (
            "The beginning of the sweep's command, which is longer than MLflow keeps" if cut else "The sweep"
        )
        found.append((title, f"python -m nnexp.run -m {words}"))
    found.append(("This page", f"python -m nnexp.report {material.sweep}{where}{trusted}"))
    found.append(("The paper's table", f"python -m nnexp.report {material.sweep}{where} --format latex"))
    found.append(("MLflow's pages", ui_command(public(material.uri))))
    return found


def _outside(material: Material) -> list[str]:
    """The modules outside nnexp that parts of the runs come from."""
    columns = (material.runs[name] for name in material.runs if str(name).endswith("_target_"))
    modules = {str(target).rpartition(".")[0] for column in columns for target in column.dropna()}
    return sorted(name for name in modules if name.partition(".")[0] not in ("nnexp", ""))


@cache
def template(name: str) -> Any:
    """A page's template, which may include the other files of its folder."""
    loader = PackageLoader("nnexp.report", "template")
    environment = Environment(
        loader=loader,
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["inline"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment.get_template(name)


def _json(data: Any) -> str:
    """JSON for a script element: no text in it can close the element or open a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _verdict(text: str) -> list[dict[str, Any]]:
    """The verdict's text as parts, the first without a title, each of paragraphs and lists of dashed lines."""
    parts: list[dict[str, Any]] = []
    for line in text.splitlines():
        bare = line.strip()
        if not bare:
            continue
        if bare.startswith("At equal ") and len(bare) < 60 and not bare.endswith("."):
            parts.append({"title": bare, "blocks": []})
            continue
        # The text after the comparisons is a part of its own.
        if not parts or (bare.startswith("Tuning:") and parts[-1]["title"]):
            parts.append({"title": "", "blocks": []})
        blocks = parts[-1]["blocks"]
        listed = bare.startswith("- ")
        if listed and blocks and blocks[-1][0] == "list":
            blocks[-1][1].append(bare[2:])
        else:
            blocks.append(("list" if listed else "text", [bare[2:] if listed else bare]))
    return parts


def _facts(material: Material) -> list[tuple[str, str]]:
    runs = material.all_runs
    started = pd.to_datetime(runs["started"], utc=True)
    first = started.min()
    when = first.strftime("%Y-%m-%d %H:%M UTC") if pd.notna(first) else "unknown"
    states = runs["status"].value_counts()
    ended = ", ".join(f"{count} {name}" for name, count in states.items())
    seconds = pd.to_numeric(runs["seconds"], errors="coerce").sum()
    return [
        ("runs", f"{len(runs)} ({ended})"),
        ("methods", str(runs["method"].nunique())),
        *([("settings", str(runs["variant"].nunique()))] if material.selection else []),
        ("tasks", str(len(material.tasks))),
        ("seeds", str(runs["replicate"].nunique())),
        ("began", when),
        ("training", f"{seconds:,.1f} s in all"),
    ]


def _paper(material: Material) -> dict[str, Any] | None:
    if material.judgement is None:
        return None
    comparison = next(iter(material.judgement.comparisons.values()))
    found = cells(comparison)
    return {
        "caption": caption(comparison),
        "tasks": list(dict.fromkeys(cell.task for cell in found)),
        "methods": comparison.methods,
        "cells": {(cell.method, cell.task): cell for cell in found},
    }


def _ranks(material: Material) -> dict[str, str] | None:
    """The rank diagram as an image, or why there is none."""
    if material.judgement is None:
        return None
    found = next(iter(material.judgement.comparisons.values())).ranks
    if found.table.empty or len(found.table) < 2:
        return {"image": "", "text": found.reason}
    picture = figures.rank_diagram(found.table, found.groups, found.critical_difference, found.tasks)
    words = ", ".join(f"{row.method} {row.rank:.2f}" for row in found.table.itertuples())
    tested = "" if math.isnan(found.p) else f" Friedman's test that all are alike: p = {found.p:.3g}."
    return {"image": _svg(picture), "text": f"Average ranks: {words}.{tested}", "reason": found.reason}


def hyperparameters(material: Material) -> list[dict[str, Any]]:
    """Parallel coordinates, importance and a heat map for each method with many settings."""
    sections = []
    # The best first.
    names = [name.split(" ")[0] for name in material.methods]
    for method in dict.fromkeys([*names, *material.all_runs["method"]]):
        rows = material.all_runs[material.all_runs["method"] == method]
        if rows.empty:
            # With --method the names are not those of optimizers.
            continue
        settings = varied(rows)
        if not settings or rows["variant"].nunique() < LEAST_SETTINGS:
            continue
        pictures: list[tuple[str, str]] = []
        try:
            drawn = figures.parallel_coordinates(rows, settings, material.measure)
            pictures.append(("Every run across its settings", _svg(drawn)))
            found = importance(rows, settings, material.measure)
            drawn = figures.importance_bars(found, material.measure)
            pictures.append(("How much each setting matters", _svg(drawn)))
            top = list(found.table["setting"].head(2))
            if len(top) == 2 and max(rows[name].map(str).nunique() for name in top) <= MOST_CELLS:
                drawn = figures.heat_map(rows, top[0], top[1], material.measure)
                pictures.append(("Means for the two that matter most", _svg(drawn)))
            text = "; ".join(f"{row.setting}: {row.importance:.2f}" for row in found.table.itertuples())
            text += f" (R² {found.r2:.2f})"
        except (ValueError, ImportError) as error:
            text = str(error)
        sections.append({"method": method, "pictures": pictures, "text": text})
    return sections


def _trials(material: Material, colors: dict[str, str]) -> dict[str, Any] | None:
    """The first section for many settings: the best of each method, the expected best of n trials, and all."""
    if material.selection is None:
        return None
    found = trial_table(cells_of(material.all_runs))
    curves = tuning_curves(found)
    picture = _svg(figures.expected_best(curves, str(found.attrs["measure"]))) if len(curves) else ""
    chosen = [str(name) for name in material.selection.costs["chosen"]]
    return {
        "best": tables.chosen(material, colors),
        "picture": picture,
        "all": tables.variants(found, chosen, colors),
        "warnings": material.selection.warnings,
    }


def _tuning(material: Material, colors: dict[str, str]) -> tables.Table | None:
    table = material.judgement.tuning if material.judgement else None
    if table is None or not (table["tuned"] | (table["settings"] > 1)).any():
        return None
    rows = [[tables.plain(value, name, colors) for name, value in row.items()] for _, row in table.iterrows()]
    right = [name in ("runs", "evaluations", "seconds", "settings") for name in table.columns]
    return tables.Table(
        "Settings of each method, and what choosing among them cost",
        [str(c) for c in table.columns],
        right,
        rows,
    )


def _environment(material: Material) -> list[tuple[str, str]]:
    machine = material.environment
    if not machine:
        return []
    blas = machine.get("blas") or {}
    git = machine.get("git") or {}
    rows = [
        ("python", machine.get("python")),
        ("platform", machine.get("platform")),
        ("machine", f"{machine.get('machine')}, {machine.get('cpus')} cores"),
        ("BLAS", f"{' '.join(map(str, blas.values()))}, {machine.get('threads')} threads"),
        ("git commit", f"{git.get('commit')}{', with changes' if git.get('dirty') else ''}" if git else None),
    ]
    rows += list((machine.get("packages") or {}).items())
    return [(name, str(value)) for name, value in rows if value]


def _svg(picture: Picture) -> str:
    """The picture as a data address, with text as text."""
    out = io.StringIO()
    picture.write_svg(out)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue().encode()).decode("ascii")
