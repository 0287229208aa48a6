"""A copy of the package's source from the start of a sweep, for all modules that are imported while it runs."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nnexp


@contextmanager
def frozen_source(folder: Path, outside: Mapping[str, Path], anew: bool) -> Iterator[None]:
    """A context in which modules of the package are loaded from a copy in ``folder``, here and in new processes.

    So an edit of the source does not change the jobs of a running sweep. Processes inherit ``sys.path``.

    Args:
        outside: further source files, by their path in the copy.
        anew: whether to copy what is there already; all batches of a sweep use the source of the first one.
    """
    if anew:
        package = Path(nnexp.__file__).resolve().parent
        # Compiled files are copied too; their times are still valid, so workers need not compile.
        ignored = shutil.ignore_patterns("*.ipynb", "conf")
        shutil.copytree(package, folder / "nnexp", ignore=ignored, dirs_exist_ok=True)
    for place, file in outside.items():
        if anew or not (folder / place).exists():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, folder / place)
    with loaded_from(folder):
        yield


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
