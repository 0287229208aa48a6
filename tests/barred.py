"""A program that hides all packages but nnexp and what it declares."""

from __future__ import annotations

BARRED = """\
import runpy, sys
from importlib.metadata import packages_distributions, requires
from re import match

needed, left = set(), ["nnexp"]
while left:
    name = left.pop().lower().replace("_", "-")
    if name in needed:
        continue
    needed.add(name)
    try:
        left += [match(r"[\\w.-]+", line)[0] for line in requires(name) or () if "extra ==" not in line]
    except Exception:
        continue  # of another system

known = {module: {name.lower().replace("_", "-") for name in names}
         for module, names in packages_distributions().items()}

class Barrier:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in known and not known[top] & needed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Barrier())
sys.path.insert(0, TREE)
for other in ("pytest", "hypothesis", "selenium", "optuna"):
    try:
        __import__(other)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{other} can be imported")
sys.argv = WORDS
runpy.run_module(WORDS[0], run_name="__main__", alter_sys=True)
"""
"""A program that runs a module where nothing but the standard library and the declared dependencies is."""
