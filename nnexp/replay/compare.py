"""Two records compared number by number, and the differences of their environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, prod
from typing import Any

import numpy as np

from nnexp.replay.recorded import HISTORY, Numbers

Array = np.ndarray[Any, Any]

COMPUTING = ("numpy", "nnfs", "pandas", "cmaes")
"""Packages whose versions may decide a run's numbers."""


@dataclass(frozen=True, order=True)
class Difference:
    """A number that differs from the recorded one; differences are ordered by iteration, metrics before weights."""

    iteration: float
    order: int
    name: str = ""
    recorded: Any = None
    replayed: Any = None

    def __str__(self) -> str:
        at = "" if self.iteration == inf else f" at iteration {int(self.iteration):,}"
        size = ""
        if isinstance(self.recorded, float) and isinstance(self.replayed, float):
            size = f", a difference of {abs(self.recorded - self.replayed):.3g}"
        return f"{self.name}{at}: {self.recorded!r} recorded, {self.replayed!r} now{size}"


def first_difference(
    recorded: Mapping[str, Numbers], replayed: Mapping[str, Numbers], weights: list[str]
) -> Difference | None:
    """The first recorded number that is not equal, bit for bit, to the replayed one; None where all are equal.

    Args:
        weights: the name of each of the parameters ``(P,)`` in the order of files.
    """
    found = []
    for order, (of, numbers) in enumerate(recorded.items()):
        again = replayed.get(of, {})
        if "iteration" not in numbers:
            found += [_in_weights(f"{of} {name}", order, numbers[name], again.get(name)) for name in numbers]
            continue
        what = f"{of} " if of != HISTORY else ""
        found.append(_in_rows(what, order, numbers, again, weights))
    known = [difference for difference in found if difference is not None]
    return min(known, key=lambda one: (one.iteration, one.order)) if known else None


def count(recorded: Mapping[str, Numbers]) -> int:
    """How many numbers there are."""
    return sum(array.size for numbers in recorded.values() for array in numbers.values())


def _in_rows(what: str, order: int, first: Numbers, second: Numbers, weights: list[str]) -> Difference | None:
    if set(first) != set(second):
        return Difference(-1, order, f"{what}columns", sorted(first), sorted(second))
    ours, theirs = first["iteration"], second["iteration"]
    rows = min(len(ours), len(theirs))
    # The first row of another iteration, or a missing row.
    odd = np.flatnonzero(ours[:rows] != theirs[:rows])
    rows = int(odd[0]) if len(odd) else rows
    found: Difference | None = None
    if rows < max(len(ours), len(theirs)):
        own, other = (int(column[rows]) if rows < len(column) else None for column in (ours, theirs))
        at = min(value for value in (own, other) if value is not None)
        found = Difference(at, order, f"{what}row of iteration", own, other)
    for name, column in first.items():
        if column.dtype != second[name].dtype or column.shape[1:] != second[name].shape[1:]:
            said = [f"{array.dtype} {array.shape[1:]}" for array in (column, second[name])]
            return Difference(-1, order, f"{what}{name}", *said)
        same = _same(column[:rows], second[name][:rows]).reshape(rows, prod(column.shape[1:]))
        unlike = np.flatnonzero(~same.all(axis=1))
        if not len(unlike) or (found is not None and ours[unlike[0]] >= found.iteration):
            continue
        row = unlike[0]
        where = np.flatnonzero(~same[row])[0]
        pair = (array[row].reshape(-1)[where].item() for array in (column, second[name]))
        label = f"{what}{weights[where]}" if name == "theta" else f"{what}{name}"
        found = Difference(int(ours[row]), order, label, *pair)
    return found


def _in_weights(name: str, order: int, first: Array, second: Array | None) -> Difference | None:
    if second is None or first.shape != second.shape or first.dtype != second.dtype:
        other = None if second is None else f"{second.dtype} {second.shape}"
        return Difference(inf, order, name, f"{first.dtype} {first.shape}", other)
    unlike = np.argwhere(~_same(first, second))
    if not len(unlike):
        return None
    at = tuple(unlike[0].tolist())
    return Difference(inf, order, f"{name}{list(at)}", first[at].item(), second[at].item())


def _same(first: Array, second: Array) -> Array:
    """Which numbers have equal bits; NaN equals NaN."""
    if not np.issubdtype(first.dtype, np.floating):
        return first == second
    bits = f"u{first.dtype.itemsize}"
    equal = np.ascontiguousarray(first).view(bits) == np.ascontiguousarray(second).view(bits)
    return equal | (np.isnan(first) & np.isnan(second))


def differing(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Differences of two environments that may change results: versions, BLAS, processor, variables.

    What an older record does not contain is left out.
    """
    found = []
    # Versions of NumPy name processor instructions differently.
    same = _in(recorded, "packages", "numpy") == _in(here, "packages", "numpy")
    for what, own, now in (
        ("python", recorded.get("python"), here.get("python")),
        *((name, _in(recorded, "packages", name), _in(here, "packages", name)) for name in COMPUTING),
        ("C library", recorded.get("libc"), here.get("libc")),
        *((f"BLAS {key}", _in(recorded, "blas", key), _in(here, "blas", key))
          for key in ("name", "version", "kernels")),
        ("threads of BLAS", recorded.get("threads"), here.get("threads")),
        *((f"processor's {key}", _in(recorded, "processor", key), _in(here, "processor", key))
          for key in (("name", "features") if same else ("name",))),
        ("variables", recorded.get("variables"), here.get("variables")),
    ):  # fmt: skip
        if own is not None and own != now:
            found.append(f"{what}: {_shown(own)} recorded, {_shown(now)} now")
    return found


def _in(environment: Mapping[str, Any], group: str, key: str) -> Any:
    return (environment.get(group) or {}).get(key)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key}={text}" for key, text in value.items()) or "none"
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
