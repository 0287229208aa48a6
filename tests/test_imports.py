"""Imports go downwards, and heavy packages are loaded where they belong."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "nnexp"

FLOORS = [
    {
        "nnexp",
        "process",
        "settings",
        "layout",
        "activations",
        "streams",
        "marks",
        "batches",
        "rows",
        "targets",
        "memory",
    },
    {"config", "losses", "datasets", "optim"},
    {"network"},
    {"problem"},
    {"search", "descent", "cells"},
    {"train"},
    {"prepare"},
    {"record", "boundary", "style"},
    {"session"},
    {"group"},
    {"plots"},
    {"tracking"},
    {"results"},
    {"stats"},
    {"inside", "importance"},
    {"figures"},
    {"report"},
    {"sweep"},
    {"cli"},
    {"run"},
]
ONLY = {
    "hydra": {"run", "cli", "sweep"},
    "omegaconf": {"run", "cli", "sweep"},
    "mlflow": {"tracking", "results"},
}


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "nnexp" if parts == ("__init__",) else parts[0]


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def floor(name: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} <= set.union(*FLOORS)


def test_imports_go_downwards():
    for path in FILES:
        here = room(path)
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            if parts[0] != "nnexp" or len(parts) == 1 or not (PACKAGE / parts[1]).with_suffix(".py").exists():
                continue
            assert parts[1] == here or floor(parts[1]) < floor(here), f"{path} imports {name}"


def test_hydra_and_mlflow_stay_in_their_rooms():
    for path in FILES:
        for name in {name.split(".")[0] for name in imported(ast.parse(path.read_text()))} & set(ONLY):
            assert room(path) in ONLY[name], f"{path} imports {name}"


def test_mlflow_is_loaded_in_the_tracking_room_alone():
    for path in FILES:
        body = ast.parse(path.read_text()).body
        direct = {n for node in body if isinstance(node, ast.Import | ast.ImportFrom) for n in imported(node)}
        if any(name.split(".")[0] == "mlflow" for name in direct):
            assert room(path) == "tracking"


def test_files_are_short():
    for path in [*FILES, *Path(__file__).parent.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 300, path
