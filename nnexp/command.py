"""The console script ``nnexp``: its subcommands, each in a module that is imported when needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from nnexp.process import leave

SUBCOMMANDS = {
    "run": "train one run, or a sweep with -m; also without the word run",
    "report": "say which method of a sweep is better, and write its page",
    "replay": "train recorded runs again, and compare the numbers",
    "sync": "record runs trained while the store could not be reached",
}
"""What each subcommand is for; only installed ones are listed."""

USAGE = """\
nnexp: compare ways of training neural networks, recorded in MLflow.

  nnexp run -m optimizer=random,perturb,sgd 'seed=range(0,10)'   train a sweep
  nnexp report --open                                            compare methods

"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["--help"], ["-h"], ["help"]):
        print(usage(), end="")
        return 0
    name = given[0] if given and _module(given[0]) else "run"
    return entry(name)(given[1:] if given[:1] == [name] else given)


def entry(name: str) -> Callable[[Sequence[str]], int]:
    """The function of a subcommand, which takes arguments and returns an exit code."""
    found: Callable[[Sequence[str]], int] = import_module(_module(name)).main
    return found


def usage() -> str:
    """The text of ``nnexp --help``."""
    lines = [f"  nnexp {name:8}{about}" for name, about in SUBCOMMANDS.items() if _module(name)]
    return USAGE + "\n".join([*lines, "", "nnexp SUBCOMMAND --help explains each."]) + "\n"


def _module(name: str) -> str:
    """The module of a subcommand, empty where there is none."""
    found = find_spec(f"nnexp.{name}") if name in SUBCOMMANDS else None
    if found is None:
        return ""
    return found.name if found.submodule_search_locations is None else f"{found.name}.__main__"


def command() -> None:
    """The console script."""
    leave(main)
