"""Serialization of plain values and arrays: JSON, and one block for all arrays, in an npz file with checksums."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]

PLACE = "$array"
"""The key in JSON that marks an array."""


def pack(value: Any, file: IO[bytes]) -> None:
    """Write nested dicts, lists, numbers, strings and arrays, with their dtypes and memory order.

    Raises:
        TypeError: anything else.
    """
    pieces: list[Array] = [np.empty(0, np.uint8)]
    size = 0

    def placed(array: Any) -> dict[str, Any]:
        nonlocal size
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            raise TypeError(
                f"a {type(array).__name__} cannot be saved; expected numbers, strings, lists, dicts "
                f"and arrays"
            )
        turned = array.flags.f_contiguous and not array.flags.c_contiguous
        piece = np.ascontiguousarray(array.T if turned else array).reshape(-1).view(np.uint8)
        pieces.append(piece)
        size += len(piece)
        return {PLACE: [size - len(piece), array.dtype.str, list(array.shape), turned]}

    text = json.dumps(value, default=placed).encode()
    np.savez(file, text=np.frombuffer(text, np.uint8), data=np.concatenate(pieces))


def unpack(file: IO[bytes]) -> Any:
    """The value that :func:`pack` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            text, data = arrays["text"].tobytes(), arrays["data"]
        return json.loads(text, object_hook=lambda values: _placed(values, data))
    except Exception as error:
        raise ValueError(f"damaged ({type(error).__name__}: {error})") from error


def _placed(values: dict[str, Any], data: Array) -> Any:
    if PLACE not in values:
        return values
    at, kind, shape, turned = values[PLACE]
    dtype = np.dtype(kind)
    end = at + dtype.itemsize * int(np.prod(shape))
    # A copy, so that it is aligned.
    flat = data[at:end].copy().view(dtype)
    return flat.reshape(shape[::-1]).T if turned else flat.reshape(shape)
