"""A copy of the package's source from the start of a sweep, for all modules that are imported while it runs."""

from __future__ import annotations

import atexit
import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import nnexp


@contextmanager
def frozen_source(folder: Path, outside: Mapping[str, Path], keep: bool = False) -> Iterator[None]:
    """A context in which modules of the package are loaded from a copy in ``folder``, here and in new processes.

    So an edit of the source does not change the jobs of a running sweep. Processes inherit ``sys.path``.

    Args:
        outside: further source files, by their path in the copy.
        keep: whether the sweep has several batches, which must all use the source of the first one.
    """
    package = Path(nnexp.__file__).resolve().parent
    if keep:
        package, outside = _kept(package, tuple(outside.items()))
    _copy(package, dict(outside), folder)
    with loaded_from(folder):
        yield


@cache
def _kept(package: Path, outside: tuple[tuple[str, Path], ...]) -> tuple[Path, dict[str, Path]]:
    """A copy of the source that is kept until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="nnexp-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _copy(package, dict(outside), folder)
    return folder / "nnexp", {place: folder / place for place, _ in outside}


def _copy(package: Path, outside: Mapping[str, Path], folder: Path) -> None:
    # Compiled files are copied too; their times are still valid, so workers need not compile.
    ignored = shutil.ignore_patterns("*.ipynb", "conf")
    shutil.copytree(package, folder / "nnexp", ignore=ignored, dirs_exist_ok=True)
    for place, file in outside.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, folder / place)


def import_from(folder: str, places: Sequence[str]) -> None:
    """In a worker: make the modules of these files importable from the sweep's copy in ``folder``.

    A worker of a cluster may serve several sweeps, each with its own version of a module.
    """
    names = {place.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for place in places}
    for name in names & sys.modules.keys():
        if not str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]
    if names and folder not in sys.path:
        sys.path.insert(0, folder)
        importlib.invalidate_caches()


@contextmanager
def loaded_from(folder: Path) -> Iterator[None]:
    """A context in which modules of the package are loaded from the copy that is in ``folder``."""
    # A copy, because another thread may be importing MLflow.
    loaded = sys.modules.copy().items()
    packages = [m for n, m in loaded if n.split(".")[0] == "nnexp" and hasattr(m, "__path__")]
    before = [list(module.__path__) for module in packages]
    for module in packages:
        module.__path__ = [str(folder.joinpath(*module.__name__.split(".")))]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for module, path in zip(packages, before, strict=True):
            module.__path__ = path
