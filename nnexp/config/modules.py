"""Modules of parts: imported by name; their source files, for hashes and copies."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nnexp.config.error import ConfigError, OutsideModule

PACKAGE = "nnexp"

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages."""


def import_target(described: str, target: Any, modules: Sequence[str] | None = None) -> Any:
    """The object with the full name ``target``.

    Args:
        described: the setting with its value, for errors.
        modules: top-level modules outside nnexp that may be imported; None for any.

    Raises:
        ConfigError: it cannot be imported, or may not be.
    """
    if not isinstance(target, str) or "." not in target:
        raise ConfigError(f"{described}: expected a class's full name, such as nnexp.optim.SGD")
    module, _, name = target.rpartition(".")
    top = module.partition(".")[0]
    if modules is not None and top not in (PACKAGE, *modules):
        raise OutsideModule(described, module)
    try:
        found = importlib.import_module(module)
    except Exception as error:
        raise ConfigError(
            f"{described}: module {module} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    if not hasattr(found, name):
        raise ConfigError(f"{described}: module {module} has no {name}")
    return getattr(found, name)


def target_of(kind: type) -> str:
    """A class's full name, by the shortest module that has it.

    >>> from nnexp.config.error import ConfigError
    >>> target_of(ConfigError)
    'nnexp.config.error.ConfigError'
    """
    parts = kind.__module__.split(".")
    for count in range(1, len(parts)):
        name = ".".join(parts[:count])
        if getattr(sys.modules.get(name), kind.__name__, None) is kind:
            return f"{name}.{kind.__qualname__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def outside_files(kinds: Iterable[type]) -> dict[str, Path]:
    """The source files of classes from outside nnexp, by path relative to their import folder.

    Files that these import from the same folder are included, directly or indirectly, also imports inside functions:
    edits there change a part too. Other installed packages are identified by their version alone.
    """
    found: dict[str, Path] = {}
    for kind in kinds:
        module = sys.modules.get(kind.__module__)
        if module is not None and kind.__module__.partition(".")[0] != PACKAGE and _file(module) is not None:
            _collect(kind.__module__, _root(module), found)
    return dict(sorted(found.items()))


def _collect(name: str, root: Path, found: dict[str, Path]) -> None:
    """Add a module's file, those of the packages that it is in, and of what it imports from below ``root``."""
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        file = _source(parts[:count], root)
        if file is None:
            continue
        place = file.relative_to(root).as_posix()
        if place in found:
            continue
        found[place] = file
        package = parts[:count] if file.stem == "__init__" else parts[: count - 1]
        for imported in _imports(package, file):
            # Other packages in site-packages are identified by their version.
            if root.name not in INSTALLED or imported.partition(".")[0] == parts[0]:
                _collect(imported, root, found)


def _source(parts: list[str], root: Path) -> Path | None:
    """The file of a module, loaded or not, None where it has none below ``root``."""
    module, file = sys.modules.get(".".join(parts)), None
    if module is not None:
        file = _file(module)
    elif len(parts) > 1:
        places = (root.joinpath(*parts[:-1], f"{parts[-1]}.py"), root.joinpath(*parts, "__init__.py"))
        file = next((place for place in places if place.is_file()), None)
    elif (spec := importlib.util.find_spec(parts[0])) is not None and spec.has_location:
        file = Path(str(spec.origin)).resolve()
    return file if file is not None and file.suffix == ".py" and file.is_relative_to(root) else None


def _imports(package: list[str], file: Path) -> list[str]:
    """The full names of modules, and of names in them, that a file of ``package`` imports."""
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                start = ".".join([*package[: len(package) - node.level + 1], *filter(None, [start])])
            names += [start, *(f"{start}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] != PACKAGE]


def _file(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file and file.endswith(".py") else None


def _root(module: ModuleType) -> Path:
    """The folder that a module's top-level package is imported from."""
    file = _file(module)
    assert file is not None
    depth = len(module.__name__.split(".")) + (file.stem == "__init__")
    return file.parents[depth - 1]
