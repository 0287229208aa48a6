"""Rooms import downwards, and heavy packages are loaded where they belong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "nnexp"

ROOMS = {
    "nnexp": "",
    "process": "",
    "calls": "",
    "config": "",
    "data": "config",
    "network": "calls config",
    "losses": "calls config network",
    "optim": "calls config",
    "notebook": "config data network optim",
    "training": "calls config data losses network notebook optim",
    "testing": "calls config data losses network optim training",
    "config/schema": "config training",
    "pictures": "calls data losses network training",
    "tracking": "nnexp process config losses network training pictures",
    "sync": "process tracking",
    "results": "process config losses network tracking",
    "stats": "losses results",
    "inside": "network training config/schema pictures results",
    "figures": "training pictures results stats inside",
    "report": "nnexp process config losses pictures tracking results stats inside figures",
    "sweep": "nnexp process config data losses training config/schema pictures tracking results stats "
    "sweep/compose sweep/engines sweep/recording",
    "sweep/compose": "process config training config/schema sweep",
    "sweep/engines": "process",
    "sweep/recording": "process training tracking sync sweep",
    "cli": "config losses config/schema tracking results stats sweep",
    "replay": "process config losses config/schema training tracking results sweep cli",
    "run": "nnexp process config config/schema tracking sweep sweep/compose sweep/recording cli",
    "command": "process",
}
"""Each room with the rooms that it imports, no more and no fewer. The order is from the ground floor up."""

ONLY = {
    "hydra": {"run", "sweep", "sweep/compose"},
    "omegaconf": {"run", "sweep", "sweep/compose"},
    "mlflow": {"tracking"},
}

FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(parts: tuple[str, ...]) -> str:
    """The room of a module, given by its names below ``nnexp``."""
    if not parts:
        return "nnexp"
    two = "/".join(parts[:2])
    return two if two in ROOMS else parts[0]


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return room_of(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def rooms_imported(path: Path) -> set[str]:
    """The rooms of nnexp that a file imports, its own left out."""
    rooms = set()
    for name in imported(ast.parse(path.read_text())):
        parts = tuple(name.split("."))
        if parts[0] != "nnexp":
            continue
        place = PACKAGE.joinpath(*parts[1:])
        if len(parts) > 1 and (place.is_dir() or place.with_suffix(".py").exists()):
            if place.is_dir() and (place / "__init__.py").read_text().count("\n") <= 1:
                continue  # a folder without names of its own: what is imported from it counts
            rooms.add(room_of(parts[1:]))
        elif len(parts) == 1:
            rooms.add("nnexp")
    return rooms - {room(path)}


def arrows() -> dict[tuple[str, str], list[str]]:
    """Which room imports which, with the files that do."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in FILES:
        for other in rooms_imported(path):
            found.setdefault((room(path), other), []).append(str(path.relative_to(PACKAGE)))
    return found


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} == set(ROOMS)


def test_rooms_import_what_the_table_allows():
    allowed = {(name, other) for name, below in ROOMS.items() for other in below.split()}
    assert {arrow: files for arrow, files in arrows().items() if arrow not in allowed} == {}


def test_the_table_allows_nothing_that_no_file_needs():
    allowed = {(name, other) for name, below in ROOMS.items() for other in below.split()}
    assert allowed - set(arrows()) == set()


def test_the_table_has_no_way_up():
    order = list(ROOMS)
    for name, below in ROOMS.items():
        family = name.split("/")[0]
        for other in below.split():
            assert other in ROOMS
            assert order.index(other) < order.index(name) or other.split("/")[0] == family


@pytest.mark.parametrize("package", ONLY)
def test_heavy_packages_stay_in_their_rooms(package):
    for path in FILES:
        if package in {name.split(".")[0] for name in imported(ast.parse(path.read_text()))}:
            assert room(path) in ONLY[package], f"{path} imports {package}"


def test_files_are_short():
    for path in [*FILES, *Path(__file__).parent.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 400, path


def test_no_error_is_passed_over_in_silence():
    """Who catches everything says what it was; who passes over one kind says why in a comment."""
    for path in FILES:
        text = path.read_text()
        assert not re.search(r"suppress\((Base)?Exception\)", text), path
        for found in re.finditer(
            r"except\b[^\n]*:\n((?: *#[^\n]*\n)*) *(?:pass|continue|return None)\n", text
        ):
            assert found[1], f"{path}: {found[0]}"


if __name__ == "__main__":
    table = arrows()
    for (start, end), files in sorted(table.items()):
        print(f"{start:16} -> {end:16} {len(files)} files")
    print(f"{len({room(path) for path in FILES})} rooms, {len(table)} arrows")
