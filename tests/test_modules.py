"""Parts from outside: their classes' names, and the source files that belong to them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from nnexp.config.modules import outside_files, target_of
from nnexp.config.schema import Config
from nnexp.config.settings import kinds_of
from nnexp.optim import SGD

FILES = {
    "lab_one.py": "class Own: pass\n",
    "lab/__init__.py": "from lab.methods.slow import Slow\n",
    "lab/notes.py": "TEXT = 'nothing imports this'\n",
    "lab/methods/__init__.py": "",
    "lab/methods/slow.py": (
        "import json, numpy\n"
        "import lab.numbers\n"
        "from nnexp.optim import SGD\n"
        "from ..shared import half\n"
        "from . import steps\n"
        "def later():\n"
        "    from lab_tools import quick\n"
        "    return quick\n"
        "class Slow: pass\n"
    ),
    "lab/methods/steps.py": "from lab_tools import quick\n",
    "lab/numbers.py": "",
    "lab/shared.py": "half = 0.5\n",
    "lab_tools/__init__.py": "from .quick import quick\n",
    "lab_tools/quick.py": "import lab_one\ndef rest():\n    import lab_late.far\nquick = 1\n",
    "lab_late/__init__.py": "",
    "lab_late/far.py": "from lab_late import near, missing\n",
    "lab_late/near.py": "raise SystemExit('not to be imported')\n",
}


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where the modules are."""
    return tmp_path / getattr(request, "param", "project")


@pytest.fixture
def lab(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules, imported from nowhere else."""
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(place)
    yield place
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("lab")]:
        del sys.modules[name]


def kind(module: str, name: str) -> Any:
    found: ModuleType = importlib.import_module(module)
    return getattr(found, name)


def test_parts_of_nnexp_have_no_files_outside() -> None:
    assert outside_files(kinds_of(Config())) == {}


def test_a_module_alone_is_one_file(lab: Path) -> None:
    assert outside_files([kind("lab_one", "Own")]) == {"lab_one.py": lab / "lab_one.py"}


def test_files_are_those_that_a_part_s_module_imports_directly_or_not(lab: Path) -> None:
    expected = set(FILES) - {"lab/notes.py"}
    files = outside_files([kind("lab.methods.slow", "Slow"), SGD])
    assert set(files) == expected
    assert list(files) == sorted(files)
    assert all(path == lab / place for place, path in files.items())


@pytest.mark.parametrize("place", ["site-packages", "dist-packages"], indirect=True)
def test_of_installed_packages_only_the_part_s_own_counts(lab: Path) -> None:
    own = {name for name in FILES if name.startswith("lab/")} - {"lab/notes.py"}
    assert set(outside_files([kind("lab.methods.slow", "Slow")])) == own


def test_two_parts_have_the_files_of_both(lab: Path) -> None:
    one, other = kind("lab_one", "Own"), kind("lab.methods.slow", "Slow")
    assert outside_files([one, other]) == outside_files([one]) | outside_files([other])


def test_a_class_is_named_by_the_shortest_module_that_has_it(lab: Path) -> None:
    assert target_of(SGD) == "nnexp.optim.SGD"
    assert target_of(kind("lab.methods.slow", "Slow")) == "lab.Slow"
    assert target_of(kind("lab_one", "Own")) == "lab_one.Own"
