"""Conversion of a search's state to plain values and back: arrays, numbers, tuples; generators by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np


def as_plain(value: Any, own: Mapping[str, Any]) -> Any:
    """Nested tuples, lists, dicts, arrays, numbers and generators as values for :func:`nnexp.training.packed.pack`.

    Another object is saved as its ``__getstate__``, if it has a ``__setstate__``.

    Args:
        own: objects that are saved elsewhere, by name.

    Raises:
        TypeError: an object that cannot be saved.
    """
    name = next((name for name, thing in own.items() if value is thing), None)
    if name is not None:
        return {"own": name}
    if isinstance(value, np.generic):
        return {"number": np.asarray(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {"named": _name(type(value)), "items": [as_plain(item, own) for item in value]}
    if type(value) in (tuple, list):
        return {type(value).__name__: [as_plain(item, own) for item in value]}
    if type(value) is dict:
        return {"dict": [[as_plain(key, own), as_plain(item, own)] for key, item in value.items()]}
    if hasattr(type(value), "__setstate__"):
        return {"object": _name(type(value)), "state": as_plain(value.__getstate__(), own)}
    raise TypeError(
        f"its state has a {_name(type(value))}; expected arrays, numbers and named tuples of them"
    )


def from_plain(tree: Any, own: Mapping[str, Any]) -> Any:
    """The inverse of :func:`as_plain`; only classes of loaded modules are used.

    Raises:
        ValueError: no such class.
    """
    if not isinstance(tree, dict):
        return tree
    (kind, value), *more = tree.items()
    if kind == "own":
        return own[value]
    if kind == "number":
        return value[()]
    if kind == "generator":
        generator = np.random.Generator(getattr(np.random, value["bit_generator"])())
        generator.bit_generator.state = value
        return generator
    if kind == "dict":
        return {from_plain(key, own): from_plain(item, own) for key, item in value}
    if kind == "named":
        kept: Any = _class(value, "_fields")
        return kept(*(from_plain(item, own) for item in more[0][1]))
    if kind == "object":
        kept = _class(value, "__setstate__")
        thing = kept.__new__(kept)
        thing.__setstate__(from_plain(more[0][1], own))
        return thing
    items = [from_plain(item, own) for item in value]
    return tuple(items) if kind == "tuple" else items


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _class(name: str, attribute: str) -> type:
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not hasattr(found, attribute):
        raise ValueError(f"{name}: expected a class of a loaded module")
    return found
