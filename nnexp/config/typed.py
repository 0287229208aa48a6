"""Conversion of values to a setting's type."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

LARGEST = 2**63 - 1
"""The largest integer that NumPy's arrays hold."""


@cache
def members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, of any other type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def lacks_brackets(value: Any, hint: Any) -> bool:
    """Whether a value stands alone where a list of such values is asked for."""
    lists = [member for member in members(hint) if get_origin(member) is list]
    return bool(lists) and not isinstance(value, Mapping) and typed([value], lists[0]) is not MISSING


def typed(value: Any, hint: Any) -> Any:
    """The value converted to its type, MISSING where it is not of that type."""
    several = members(hint)
    if len(several) > 1:
        converted = (typed(value, member) for member in several)
        return next((value for value in converted if value is not MISSING), MISSING)
    if hint is Any:
        return value
    if get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in get_args(hint) else MISSING
    if get_origin(hint) is list:
        inner = get_args(hint)[0]
        if not isinstance(value, list | tuple):
            return MISSING
        items = [_numbers(item) if inner is Any else typed(item, inner) for item in value]
        return MISSING if any(item is MISSING for item in items) else items
    if get_origin(hint) is dict:
        return (
            dict(value) if isinstance(value, Mapping) and all(type(key) is str for key in value) else MISSING
        )
    if hint is float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return MISSING
        try:
            return float(value) if math.isfinite(value) else MISSING
        except OverflowError:
            return MISSING
    if hint is int and type(value) is float and value.is_integer():
        # 1e4 is a float to YAML and to Hydra.
        return int(value)
    return value if type(value) is hint else MISSING


def _numbers(value: Any) -> Any:
    """A number, or lists of them to any depth."""
    return typed(value, list[Any] if isinstance(value, list | tuple) else float)
